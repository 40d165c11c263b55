"""The JSON of `POST /predict`."""

import math
from typing import Self

from service.inference.answers import FindingAnswer, FindingSaliency, Prediction, ServedModel
from service.inference.schemas import (
    Body,
    BoxBody,
    GateBody,
    GeometryBody,
    ImageBody,
    ModelBody,
    PngUrl,
    TimingsBody,
    png_url,
)


class SaliencyBody(Body):
    """`max` is the largest raw value: it tells evidence from none, which the scaled map cannot."""

    max: float | None
    png: PngUrl | None

    @classmethod
    def of(cls, saliency: FindingSaliency, *, with_png: bool) -> Self:
        png = png_url(saliency.scaled) if with_png and saliency.scaled is not None else None
        return cls(max=saliency.maximum if math.isfinite(saliency.maximum) else None, png=png)


class FindingBody(Body):
    """One finding; numbers are null where the model was not trained for it, and `reason` says so."""

    name: str
    display: str
    logit: float | None
    probability: float | None
    threshold: float
    positive: bool | None
    boxes: list[BoxBody]
    saliency: SaliencyBody | None
    reason: str | None

    @classmethod
    def of(cls, answer: FindingAnswer, *, with_png: bool) -> Self:
        finding, saliency = answer.finding, answer.saliency
        no_number = "the model gave no number for this picture" if answer.probability is None else None
        return cls(
            name=finding.name,
            display=finding.display,
            logit=answer.logit,
            probability=answer.probability,
            threshold=finding.threshold,
            positive=answer.positive,
            boxes=[BoxBody.of(box) for box in saliency.boxes] if saliency else [],
            saliency=SaliencyBody.of(saliency, with_png=with_png) if saliency else None,
            reason=finding.reason or no_number,
        )


class PredictResponse(Body):
    """Findings of one radiograph, in the bundle's order."""

    request_id: str
    model: ModelBody
    image: ImageBody
    gate: GateBody
    geometry: GeometryBody
    findings: list[FindingBody]
    timings_ms: TimingsBody

    @classmethod
    def of(cls, prediction: Prediction, model: ServedModel, request_id: str, *, with_pngs: bool) -> Self:
        """Takes some milliseconds a heatmap: call it off the event loop."""
        upload = prediction.upload
        return cls(
            request_id=request_id,
            model=ModelBody.of(model),
            image=ImageBody.of(upload),
            gate=GateBody.of(upload.gate),
            geometry=GeometryBody.of(upload, model.manifest.input.geometry),
            findings=[FindingBody.of(answer, with_png=with_pngs) for answer in prediction.findings],
            timings_ms=TimingsBody.of(prediction.timings),
        )
