"""The JSON of `GET /v1/models`."""

from typing import Self

from service.inference.answers import ServedModel
from service.inference.schemas import Body, ModelBody


class ModelFindingBody(Body):
    """A finding the model knows; `trained` is false where it was given no labelled pictures, as `reason` says."""

    name: str
    display: str
    threshold: float
    trained: bool
    reason: str | None


class AnomalyModelBody(Body):
    """What `/anomaly-map` may be asked for."""

    masks: list[int]
    default_masks: int
    has_reference: bool


class ModelDescription(ModelBody):
    """A served model."""

    input_side: int
    findings: list[ModelFindingBody]
    anomaly: AnomalyModelBody | None

    @classmethod
    def of(cls, model: ServedModel) -> Self:
        manifest, part = model.manifest, model.manifest.reconstructor
        anomaly = part and AnomalyModelBody(
            masks=list(part.masks), default_masks=part.default_masks, has_reference=part.reference is not None
        )
        return cls(
            name=manifest.name,
            version=manifest.version,
            sha256=model.sha256,
            thresholds=manifest.thresholds.name,
            input_side=manifest.input.side,
            findings=[
                ModelFindingBody(
                    name=finding.name,
                    display=finding.display,
                    threshold=finding.threshold,
                    trained=finding.trained,
                    reason=finding.reason,
                )
                for finding in manifest.findings
            ],
            anomaly=anomaly,
        )


class ModelsResponse(Body):
    """All served models; one, for now."""

    models: list[ModelDescription]
