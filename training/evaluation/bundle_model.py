"""A bundle under evaluation, through the very code that serves it; no torch is involved."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.imaging.preprocess import InputContract
from models.runtime.bundle import load_bundle
from models.runtime.classifier import Classifier
from training.evaluation.operating import Thresholds


class BundleModel:
    """The classifier of a bundle; see `training.evaluation.scores.Model`.

    Args:
        folder: of the bundle.
        threads: of ONNX Runtime within an operator; 0 leaves the number to it.

    Raises:
        models.errors.InvalidBundleError: what `load_bundle` refuses.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        bundle = load_bundle(folder)
        self._classifier = Classifier.open(bundle, threads=threads)
        manifest = bundle.manifest
        self.name = f"{manifest.name} {manifest.version}"
        self.manifest = manifest
        self.sha256: str | None = bundle.sha256
        self.findings = tuple(finding.name for finding in manifest.findings)
        self.contract: InputContract = manifest.input.contract
        self.thresholds = self._thresholds([one.threshold for one in manifest.findings], manifest.thresholds.name)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S) to (B, F); the maps are not computed."""
        return self._classifier.predict(images[:, None], saliency=False).logits

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated (N, F), NaN where a finding was not trained."""
        return self._classifier.probabilities(logits)

    def threshold_set(self, name: str) -> Thresholds:
        """A set of the bundle's by its name.

        Raises:
            ValueError: it has none of this name.
        """
        for one in self.manifest.threshold_sets:
            if one.name == name:
                return self._thresholds(one.values, name)
        known = ", ".join(one.name for one in self.manifest.threshold_sets) or "none"
        raise ValueError(f"{self.name} has no threshold set {name!r}; it has {known}")

    def saliency(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S) to raw maps (B, F, G, G), out of the graph."""
        maps = self._classifier.predict(images[:, None], saliency=True).saliency
        if maps is None:
            raise RuntimeError("the classifier was asked for maps and gave none")
        return maps

    def _thresholds(self, values: Sequence[float], name: str) -> Thresholds:
        """NaN where a finding was not trained."""
        trained = [finding.trained for finding in self.manifest.findings]
        return Thresholds(np.where(trained, values, np.nan), on_probabilities=True, origin=f"the bundle ({name})")
