"""The two questions of the mission, and what is served: read, ask the engine, answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.api.errors import NotReadyError
from service.api.models_schema import ModelDescription, ModelsResponse
from service.api.negotiation import JSON, NPZ, PNG, negotiate
from service.api.problem_docs import problem_responses
from service.api.query import AnomalyQuery, GateMode, PredictQuery, check_map, known_findings, with_thresholds
from service.api.uploads import BODY_SCHEMA, image_beside
from service.inference.anomaly_schema import AnomalyResponse, anomaly_arrays
from service.inference.answers import AnomalyOptions, PredictOptions, Saliency
from service.inference.engine import Engine
from service.inference.predict_schema import PredictResponse
from service.telemetry import request_id

_UPLOAD_PROBLEMS = (
    "unsupported-media",
    "undecodable-image",
    "not-a-chest-radiograph",
    "upload-too-large",
    "image-too-large",
    "invalid-request",
    "not-acceptable",
    "upload-timeout",
    "overloaded",
    "not-ready",
    "store-unavailable",  # this one and the next where workers answer
    "out-of-storage",
)


def get_engine(request: Request) -> Engine:
    """The engine of this application.

    Raises:
        NotReadyError: it is starting or closing.
    """
    engine: Engine = request.app.state.engine
    if not engine.is_ready:
        raise NotReadyError("the model is not ready to answer")
    return engine


# In this order: a body is read before anything else may refuse the request, so that no client is cut off while sending.
PredictUpload = Annotated[bytes, Depends(image_beside(PredictQuery))]
AnomalyUpload = Annotated[bytes, Depends(image_beside(AnomalyQuery))]
ReadyEngine = Annotated[Engine, Depends(get_engine)]

router = APIRouter(tags=["radiographs"])
model_router = APIRouter(tags=["models"])


@router.post(
    "/predict",
    response_model=PredictResponse,
    responses={200: {"content": {PNG: {}}}, **problem_responses(*_UPLOAD_PROBLEMS)},
    openapi_extra={"requestBody": BODY_SCHEMA},
)
async def predict(
    content: PredictUpload,
    media_type: Annotated[str, Depends(negotiate(JSON, PNG))],
    engine: ReadyEngine,
    query: Annotated[PredictQuery, Query()],
) -> Response:
    """Probabilities of one frontal chest radiograph, and boxes around the evidence for what is positive.

    As `image/png`, the overlay at source size.
    """
    model = with_thresholds(query.thresholds, engine.model, "query")
    options = PredictOptions(
        findings=known_findings(query.findings, model, "query"),
        saliency=query.saliency,
        refuse_rejected=query.gate is GateMode.ON,
        overlay=media_type == PNG,
        thresholds=query.thresholds,
    )
    prediction = await engine.predict(content, options)
    if prediction.overlay is not None:
        return Response(prediction.overlay, media_type=PNG)
    with_pngs = query.saliency is Saliency.HEATMAPS
    body = await run_in_threadpool(PredictResponse.of, prediction, model, request_id.get() or "", with_pngs=with_pngs)
    return Response(body.model_dump_json(), media_type=JSON)


@router.post(
    "/anomaly-map",
    response_model=AnomalyResponse,
    responses={200: {"content": {PNG: {}, NPZ: {}}}, **problem_responses(*_UPLOAD_PROBLEMS)},
    openapi_extra={"requestBody": BODY_SCHEMA},
)
async def anomaly_map(
    content: AnomalyUpload,
    media_type: Annotated[str, Depends(negotiate(JSON, PNG, NPZ))],
    engine: ReadyEngine,
    query: Annotated[AnomalyQuery, Query()],
    request: Request,
) -> Response:
    """Where one frontal chest radiograph differs from what a masked autoencoder paints.

    Measured against normal radiographs. As `image/png`, the map alone at source size; as `application/x-npz`, the float
    arrays at model size.
    """
    check_map(query.masks, query.rounds, engine.model, request.app.state.settings.rounds_limit, "query")
    options = AnomalyOptions(
        masks=query.masks,
        rounds=query.rounds,
        seed=query.seed,
        refuse_rejected=query.gate is GateMode.ON,
        picture=media_type == PNG,
    )
    anomaly = await engine.map_anomalies(content, options)
    if anomaly.picture is not None:
        return Response(anomaly.picture, media_type=PNG)
    if media_type == NPZ:
        return Response(await run_in_threadpool(anomaly_arrays, anomaly), media_type=NPZ)
    body = await run_in_threadpool(AnomalyResponse.of, anomaly, engine.model, request_id.get() or "")
    return Response(body.model_dump_json(), media_type=JSON)


@model_router.head("/models", include_in_schema=False)
@model_router.get("/models", responses=problem_responses("not-ready"))
async def models(engine: ReadyEngine) -> ModelsResponse:
    """What is served: names, thresholds, findings, and the masks that an anomaly map may be asked for."""
    return ModelsResponse(models=[ModelDescription.of(engine.model)])
