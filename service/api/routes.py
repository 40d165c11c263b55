"""The two questions of the mission, and what is served: read, ask the engine, answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from models.errors import InvalidRequestError
from service.api.errors import NotReadyError
from service.api.models_schema import ModelDescription, ModelsResponse
from service.api.negotiation import JSON, NPZ, PNG, negotiate
from service.api.problem_docs import problem_responses
from service.api.query import GateMode, known_findings
from service.api.uploads import BODY_SCHEMA, read_image
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
)


class PredictQuery(BaseModel):
    """How a prediction is wanted."""

    model_config = ConfigDict(extra="forbid")

    findings: str | None = Field(default=None, description="Names, comma separated; default: all of the model.")
    saliency: Saliency = Field(default=Saliency.BOXES, description="none: maps are not computed.")
    gate: GateMode = Field(default=GateMode.ON, description="off: answer what the gate rejects too.")
    thresholds: str | None = Field(default=None, description="Name of a threshold set; default: the model's own.")


class AnomalyQuery(BaseModel):
    """How an anomaly map is wanted."""

    model_config = ConfigDict(extra="forbid")

    masks: int | None = Field(
        default=None, description="K, from the bundle's list; 1 / K of the patches shows at once."
    )
    rounds: int = Field(default=1, ge=1, description="How often every patch is hidden anew; more is smoother, slower.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Same upload, bundle and seed: same map.")
    gate: GateMode = Field(default=GateMode.ON, description="off: answer what the gate rejects too.")


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
Upload = Annotated[bytes, Depends(read_image)]
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
    content: Upload,
    media_type: Annotated[str, Depends(negotiate(JSON, PNG))],
    engine: ReadyEngine,
    query: Annotated[PredictQuery, Query()],
) -> Response:
    """Probabilities and Grad-CAM boxes of one frontal chest radiograph; as `image/png`, the overlay at source size."""
    model = engine.model.with_thresholds(query.thresholds)
    options = PredictOptions(
        findings=known_findings(query.findings, model),
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
    content: Upload,
    media_type: Annotated[str, Depends(negotiate(JSON, PNG, NPZ))],
    engine: ReadyEngine,
    query: Annotated[AnomalyQuery, Query()],
    request: Request,
) -> Response:
    """Where one frontal chest radiograph departs from normal anatomy.

    As `image/png`, the map alone at source size; as `application/x-npz`, the float arrays at model size.
    """
    limit: int = request.app.state.settings.rounds_limit
    if query.rounds > limit:
        raise InvalidRequestError(f"rounds must lie within 1..{limit}")
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


@model_router.get("/models", responses=problem_responses("not-ready"))
async def models(engine: ReadyEngine) -> ModelsResponse:
    """What is served: names, thresholds, findings, and the masks that an anomaly map may be asked for."""
    return ModelsResponse(models=[ModelDescription.of(engine.model)])
