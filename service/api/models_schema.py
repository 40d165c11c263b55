"""The JSON of `GET /v1/models`."""

from typing import Self

from models.runtime.manifest import Manifest
from service.inference.answers import ServedModel
from service.inference.schemas import Body, ModelBody


class ModelFindingBody(Body):
    """A finding the model knows; `trained` is false where it was given no labelled pictures, as `reason` says."""

    name: str
    display: str
    threshold: float
    trained: bool
    reason: str | None


class ThresholdSetBody(Body):
    """Thresholds that `/predict` may be asked to use; `values` by the finding's name."""

    name: str
    description: str
    values: dict[str, float]


class AnomalyModelBody(Body):
    """What `/anomaly-map` may be asked for, and the scale of what it answers.

    A map and the scores of its boxes times `map_scale` are in the unit of `calibrated` and of the answer's `score`:
    standard deviations above normal, where the model has references. Null: each map is over its own maximum.
    A box begins at `map_threshold` on the map's scale.
    """

    masks: list[int]
    default_masks: int
    has_reference: bool
    map_scale: float | None
    map_threshold: float


class ModelDescription(ModelBody):
    """A served model."""

    input_side: int
    findings: list[ModelFindingBody]
    threshold_sets: list[ThresholdSetBody]
    anomaly: AnomalyModelBody | None

    @classmethod
    def of(cls, model: ServedModel) -> Self:
        manifest, part = model.manifest, model.manifest.reconstructor
        anomaly = part and AnomalyModelBody(
            masks=list(part.masks),
            default_masks=part.default_masks,
            has_reference=part.reference is not None,
            map_scale=part.map_scale,
            map_threshold=part.map_threshold,
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
            threshold_sets=[_threshold_set(manifest.with_thresholds(name)) for name in manifest.threshold_names],
            anomaly=anomaly,
        )


def _threshold_set(manifest: Manifest) -> ThresholdSetBody:
    """Of the set in force."""
    in_force = manifest.thresholds
    values = {finding.name: finding.threshold for finding in manifest.findings}
    return ThresholdSetBody(name=in_force.name, description=in_force.description, values=values)


class ModelsResponse(Body):
    """All served models; one, for now."""

    models: list[ModelDescription]
