"""What an engine is asked, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequestError
from models.imaging.geometry import Box
from models.runtime.anomaly import AnomalyMap
from models.runtime.manifest import Finding, Manifest
from service.inference.upload import DecodedUpload


class Saliency(StrEnum):
    """How much of the saliency maps is wanted."""

    BOXES = "boxes"
    HEATMAPS = "heatmaps"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How one prediction is wanted.

    Attributes:
        findings: names to answer for; None for all of the bundle.
        thresholds: name of the threshold set; None for the one in force.
        refuse_rejected: whether what the gate rejects is an error.
        overlay: whether the overlay picture at source size is wanted.
    """

    findings: frozenset[str] | None = None
    saliency: Saliency = Saliency.BOXES
    refuse_rejected: bool = True
    overlay: bool = False
    thresholds: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the ledger keeps the options of a job."""
        return {
            "findings": None if self.findings is None else sorted(self.findings),
            "saliency": self.saliency,
            "gate": _gate_to_json(self.refuse_rejected),
            "overlay": self.overlay,
            "thresholds": self.thresholds,
        }

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`; what is not there has its default."""
        findings = options.get("findings")
        return cls(
            findings=None if findings is None else frozenset(findings),
            saliency=Saliency(options.get("saliency", Saliency.BOXES)),
            refuse_rejected=_gate_from_json(options),
            overlay=options.get("overlay", False),
            thresholds=options.get("thresholds"),
        )


@dataclass(frozen=True, slots=True)
class AnomalyOptions:
    """How one anomaly map is wanted.

    Attributes:
        masks: K, one of the bundle's list; None for its default.
        refuse_rejected: whether what the gate rejects is an error.
        picture: whether the map at source size is wanted.
    """

    masks: int | None = None
    rounds: int = 1
    seed: int = 0
    refuse_rejected: bool = True
    picture: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the ledger keeps the options of a job."""
        return {
            "masks": self.masks,
            "rounds": self.rounds,
            "seed": self.seed,
            "gate": _gate_to_json(self.refuse_rejected),
            "picture": self.picture,
        }

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`; what is not there has its default."""
        return cls(
            masks=options.get("masks"),
            rounds=options.get("rounds", 1),
            seed=options.get("seed", 0),
            refuse_rejected=_gate_from_json(options),
            picture=options.get("picture", False),
        )


def _gate_to_json(refuse_rejected: bool) -> str:  # noqa: FBT001 one value
    return "on" if refuse_rejected else "off"


def _gate_from_json(options: Mapping[str, Any]) -> bool:
    return bool(options.get("gate", "on") == "on")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The bundle behind an engine; `sha256` is that of its manifest."""

    manifest: Manifest
    sha256: str

    def with_thresholds(self, name: str | None) -> Self:
        """The same model with that threshold set in force; None leaves it as it is.

        Raises:
            InvalidRequestError: it has no such set. The name is not repeated; those that exist are listed.
        """
        if name is None:
            return self
        try:
            return replace(self, manifest=self.manifest.with_thresholds(name))
        except ValueError as error:
            raise InvalidRequestError(str(error)) from error


@dataclass(frozen=True, slots=True)
class ScoredBox:
    """Box in source space; `score` is the mean scaled map inside it, in [0, 1]."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class FindingSaliency:
    """Where the evidence for a finding lies.

    Attributes:
        maximum: of the raw map over the picture; tells evidence from none, which the scaled map cannot.
        boxes: in source space; for positive findings, or for all where heatmaps were asked for.
        scaled: (S, S) in [0, 1], 0 in the padding; kept where a heatmap or an overlay was asked for.
    """

    maximum: float
    boxes: tuple[ScoredBox, ...] = ()
    scaled: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class FindingAnswer:
    """One finding of one radiograph.

    Attributes:
        logit, probability, positive: None where the model was not trained for the finding.
        saliency: None where it was not asked for, or the model was not trained for the finding.
    """

    finding: Finding
    logit: float | None
    probability: float | None
    positive: bool | None
    saliency: FindingSaliency | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds: in the decoder process, waiting for a turn, in the graph, and from first to last."""

    decode_ms: float
    queue_ms: float
    infer_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Findings in the bundle's order; `overlay` is a PNG at source size, where it was asked for."""

    upload: DecodedUpload
    findings: tuple[FindingAnswer, ...]
    timings: Timings
    overlay: bytes | None = None


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Anomaly map of one radiograph.

    Attributes:
        boxes: in source space.
        picture: PNG of the map in colours at source size, where it was asked for.
    """

    upload: DecodedUpload
    map: AnomalyMap
    masks: int
    rounds: int
    seed: int
    boxes: tuple[ScoredBox, ...]
    timings: Timings
    picture: bytes | None = None
