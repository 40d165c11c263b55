"""`bundle.json`: what a bundle says of itself.

Schema version 1 also fixes what is not written down: the names, types and shapes of the graphs' inputs and outputs
(`models.runtime.classifier`, `models.runtime.anomaly`).
"""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from models.imaging.preprocess import Geometry, InputContract
from models.runtime.graph_spec import (
    BandsSpec,
    ClassifierSpec,
    FileName,
    ReconstructorSpec,
    ReferenceSpec,
    Section,
    Share,
    Text,
)
from models.runtime.threshold_set import ThresholdSet

__all__ = [
    "BandsSpec",
    "Calibration",
    "ClassifierSpec",
    "FileEntry",
    "Finding",
    "InputSpec",
    "Manifest",
    "ReconstructorSpec",
    "ReferenceSpec",
    "ThresholdSet",
]

Sha256 = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]

SERVED_SUFFIXES: Final = (".onnx", ".npz")
EXCHANGE_SUFFIXES: Final = (".torchscript.pt", ".safetensors")  # for other software: hashed, never opened here


class Calibration(Section):
    """probability = sigmoid(slope * logit + intercept); a positive slope keeps the order."""

    slope: float = Field(default=1.0, gt=0)
    intercept: float = 0.0


class Finding(Section):
    """One output of the classifier; its place in the list is its column of the logits.

    Attributes:
        threshold: positive from this probability on (a calibrated probability, not a logit); of the set in force.
        trained: False for a column that carries nothing; then `reason` says why.
    """

    name: Text
    display: Text
    threshold: Share
    calibration: Calibration = Calibration()
    trained: bool = True
    reason: Text | None = None

    @model_validator(mode="after")
    def _reason_goes_with_untrained(self) -> Self:
        if self.trained != (self.reason is None):
            raise ValueError("a reason goes with an untrained finding, and with no other")
        return self


class InputSpec(Section):
    """The model image: (side, side) uint8."""

    side: int = Field(gt=0, le=4096)
    geometry: Geometry
    padding: int = Field(default=0, ge=0, le=255)

    @property
    def contract(self) -> InputContract:
        return InputContract(self.side, self.geometry, self.padding)


class FileEntry(Section):
    """What a file must be; an optional one may be absent."""

    sha256: Sha256
    bytes: int = Field(ge=0, lt=2**31)  # a graph is one protobuf message, which cannot be larger
    optional: bool = False


class Manifest(Section):
    """All of `bundle.json`.

    Attributes:
        thresholds: the set in force; its values are the findings' thresholds.
        threshold_sets: all that may be asked for, the default among them; empty where there is one alone.
        files: empty until `models.runtime.bundle.write_manifest` fills it.
    """

    schema_version: Literal[1] = 1
    name: Text
    version: Text
    findings: tuple[Finding, ...] = Field(min_length=1)
    thresholds: ThresholdSet
    threshold_sets: tuple[ThresholdSet, ...] = ()
    input: InputSpec
    classifier: ClassifierSpec
    reconstructor: ReconstructorSpec | None = None
    provenance: dict[str, JsonValue] = Field(default_factory=dict)
    files: dict[FileName, FileEntry] = Field(default_factory=dict)

    @property
    def served_files(self) -> tuple[str, ...]:
        """Files that inference reads."""
        names = [self.classifier.file]
        if self.reconstructor is not None:
            names.append(self.reconstructor.file)
            if self.reconstructor.reference is not None:
                names.append(self.reconstructor.reference.file)
        return tuple(names)

    @property
    def threshold_names(self) -> tuple[str, ...]:
        """What a request may ask for."""
        return tuple(found.name for found in self.threshold_sets) or (self.thresholds.name,)

    def with_thresholds(self, name: str) -> Self:
        """The same bundle with that threshold set in force.

        Raises:
            ValueError: it has no such set; the message names those it has.
        """
        if name == self.thresholds.name:
            return self
        wanted = next((found for found in self.threshold_sets if found.name == name), None)
        if wanted is None:
            raise ValueError(f"no such threshold set; the bundle has {', '.join(self.threshold_names)}")
        findings = tuple(
            finding.model_copy(update={"threshold": value})
            for finding, value in zip(self.findings, wanted.values, strict=True)
        )
        in_force = wanted.model_copy(update={"values": ()})
        return self.model_copy(update={"findings": findings, "thresholds": in_force})

    @model_validator(mode="after")
    def _threshold_sets_fit(self) -> Self:
        names, stated = self.threshold_names, tuple(finding.threshold for finding in self.findings)
        if self.thresholds.values or self.thresholds.name not in names or len(set(names)) != len(names):
            raise ValueError("thresholds: not the name of one of the sets, or values of its own, or a name twice")
        for found in self.threshold_sets:
            if len(found.values) != len(stated):
                raise ValueError(f"{found.name}: {len(found.values)} thresholds for {len(stated)} findings")
            if found.name == self.thresholds.name and found.values != stated:
                raise ValueError(f"{found.name}: in force, and the findings have other thresholds")
        return self

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [finding.name for finding in self.findings]
        if len(set(names)) != len(names):
            raise ValueError("two findings have one name")
        part = self.reconstructor
        if part is not None and part.patch_size * part.grid != self.input.side:
            raise ValueError(f"{part.grid} patches of {part.patch_size} do not make a side of {self.input.side}")
        if unknown := [name for name in self.served_files if not name.endswith(SERVED_SUFFIXES)]:
            raise ValueError(f"{unknown[0]}: inference reads {', '.join(SERVED_SUFFIXES)} alone")
        if unknown := [name for name in self.files if not name.endswith(SERVED_SUFFIXES + EXCHANGE_SUFFIXES)]:
            raise ValueError(f"{unknown[0]}: not a kind of file a bundle lists")
        return self
