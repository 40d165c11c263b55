"""Findings of a radiograph: logits, raw saliency grids, calibrated probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.runtime.bundle import Bundle
from models.runtime.calibration import calibrated_probability
from models.runtime.manifest import Manifest
from models.runtime.onnx_prune import keep_outputs
from models.runtime.session import CPU, Port, Session, open_session


@dataclass(frozen=True, slots=True)
class ClassifierOutput:
    """What the graph says of B images; columns in the bundle's order of findings.

    Attributes:
        logits: (B, F) float32.
        saliency: (B, F, G, G) float32, raw Grad-CAM, not negative; None where it was not asked for.
    """

    logits: NDArray[np.float32]
    saliency: NDArray[np.float32] | None


class Classifier:
    """The bundle's classifier; safe to share between threads.

    Attributes:
        findings: of the bundle, in the order of the columns.
    """

    def __init__(self, manifest: Manifest, session: Session, logits_session: Session | None = None) -> None:
        """`logits_session` runs the graph without its saliency maps; without it the whole graph runs each time."""
        side, grid = manifest.input.side, manifest.classifier.saliency_grid
        num_findings = len(manifest.findings)
        image = Port("image", np.uint8, (None, 1, side, side))
        logits = Port("logits", np.float32, (None, num_findings))
        saliency = Port("saliency", np.float32, (None, num_findings, grid, grid))
        session.require(inputs=[image], outputs=[logits, saliency])
        self._session, self._logits_session = session, logits_session or session
        self._logits_session.require(inputs=[image], outputs=[logits])
        self.findings = manifest.findings
        self._slope = np.array([finding.calibration.slope for finding in self.findings])
        self._intercept = np.array([finding.calibration.intercept for finding in self.findings])
        self._threshold = np.array([finding.threshold for finding in self.findings])
        self._trained = np.array([finding.trained for finding in self.findings])

    @classmethod
    def open(
        cls, bundle: Bundle, *, threads: int = 0, providers: Sequence[str] = (CPU,), spinning: bool = True
    ) -> Self:
        """Make the sessions too; arguments and errors as in `open_session`."""
        model = bundle.files[bundle.manifest.classifier.file]
        session, logits_session = (
            open_session(graph, threads=threads, providers=providers, spinning=spinning)
            for graph in (model, keep_outputs(model, ["logits"]))
        )
        return cls(bundle.manifest, session, logits_session)

    def predict(self, images: NDArray[np.uint8], *, saliency: bool) -> ClassifierOutput:
        """Run the graph once for all images; without `saliency` the maps are not computed.

        Args:
            images: (B, 1, S, S) uint8.
        """
        if not saliency:
            (logits,) = self._logits_session.run({"image": images}, ["logits"])
            return ClassifierOutput(logits, None)
        logits, maps = self._session.run({"image": images}, ["logits", "saliency"])
        return ClassifierOutput(logits, maps)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated probabilities (B, F); NaN in the columns of findings that were not trained."""
        probabilities = calibrated_probability(logits, self._slope, self._intercept)
        return np.where(self._trained, probabilities, np.nan)

    def positive(
        self, probabilities: NDArray[np.float64], thresholds: NDArray[np.float64] | None = None
    ) -> NDArray[np.bool_]:
        """(B, F): the calibrated probability reaches the finding's threshold; False where it is NaN.

        Args:
            thresholds: (F,); None for the bundle's own.
        """
        return probabilities >= (self._threshold if thresholds is None else thresholds)
