"""What a model says of images: logits, and probabilities where it is calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.imaging.preprocess import InputContract
from training.data.dataset import DataError
from training.data.packed import pack
from training.evaluation.operating import Thresholds

_BATCH = 32


class Model(Protocol):
    """A classifier under evaluation: a bundle (`BundleModel`) or a network (`NetworkModel`)."""

    @property
    def name(self) -> str:
        """For the report."""

    @property
    def sha256(self) -> str | None:
        """Of the bundle's manifest or of the checkpoint; None of a network in memory."""

    @property
    def findings(self) -> tuple[str, ...]:
        """In the order of the outputs."""

    @property
    def contract(self) -> InputContract:
        """How a picture is laid on the model's square."""

    @property
    def thresholds(self) -> Thresholds | None:
        """Those that it is served with; None where there are none."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S) to (B, F)."""

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """(N, F) calibrated, NaN where a finding was not trained; None of a network, which nobody calibrated."""

    def saliency(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S) to the raw Grad-CAM maps (B, F, G, G) of the closed form."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model says of N images.

    Attributes:
        findings: F names.
        logits: (N, F) float32.
        probabilities: (N, F) calibrated; NaN in the columns of findings that were not trained. None where the model
            has no calibration.
        thresholds: those that the model is served with; None where there are none.
    """

    findings: tuple[str, ...]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64] | None = None
    thresholds: Thresholds | None = None

    @property
    def trained(self) -> NDArray[np.bool_]:
        """(F,), False where the model itself says that a column carries nothing."""
        if self.probabilities is None or not len(self.probabilities):
            return np.ones(len(self.findings), np.bool_)
        return np.asarray(~np.isnan(self.probabilities).all(axis=0))


def score(model: Model, files: Sequence[Path], cache: Path) -> Scores:
    """Score files, each exactly as the model wants to see it.

    Args:
        model: a bundle or a network.
        files: DICOM, PNG or JPEG, in the order of the scores; none is skipped.
        cache: folder of packed images.

    Raises:
        DataError: files are missing, one does not decode, or the model has no number for one; the message names them.
    """
    images = pack(files, model.contract, cache)
    parts = [np.empty((0, len(model.findings)), np.float32)]
    with tqdm(total=len(images), desc=f"scoring with {model.name}", unit="img", delay=1) as bar:
        for start in range(0, len(images), _BATCH):
            batch = np.asarray(images[start : start + _BATCH])
            parts.append(model.logits(batch))
            bar.update(len(batch))
    logits = np.concatenate(parts)
    if len(broken := np.flatnonzero(~np.isfinite(logits).all(axis=1))):
        raise DataError(f"{files[broken[0]]}: {model.name} gives a logit that is NaN or infinite, as for {len(broken)}")
    return Scores(model.findings, logits, model.probabilities(logits), model.thresholds)
