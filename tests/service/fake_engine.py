"""An engine without processes and sessions."""

import numpy as np

from models.imaging.gate import GateResult, Verdict
from models.imaging.preprocess import prepare
from models.imaging.radiograph import ImageFormat
from models.runtime.anomaly_map import AnomalyMap
from models.runtime.bundle import Bundle
from service.inference.answers import (
    Anomaly,
    AnomalyOptions,
    FindingAnswer,
    Prediction,
    PredictOptions,
    ServedModel,
    Timings,
)
from service.inference.upload import DecodedUpload

TIMINGS = Timings(1.0, 2.0, 3.0, 6.0)


class FakeEngine:
    """Answers every upload alike.

    Attributes:
        contents: bytes of the uploads so far.
        options: what was asked for with them.
        failure: raised instead of an answer.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.model = ServedModel(bundle.manifest, bundle.sha256)
        self.is_ready = False
        self.contents: list[bytes] = []
        self.options: list[PredictOptions | AnomalyOptions] = []
        self.failure: Exception | None = None

    async def is_served(self) -> bool:
        return self.is_ready

    async def start(self) -> None:
        self.is_ready = True

    async def close(self) -> None:
        self.is_ready = False

    async def predict(self, content: bytes, options: PredictOptions) -> Prediction:
        upload = self._take(content, options)
        findings = tuple(FindingAnswer(finding, 0.0, 0.5, positive=True) for finding in self.model.manifest.findings)
        return Prediction(upload, findings, TIMINGS, b"overlay" if options.overlay else None)

    async def map_anomalies(self, content: bytes, options: AnomalyOptions) -> Anomaly:
        upload = self._take(content, options)
        nothing = np.zeros((self.model.manifest.input.side,) * 2, np.float32)
        found = AnomalyMap(nothing, nothing, nothing, nothing, nothing, score=0.5, percentile=None)
        picture = b"picture" if options.picture else None
        return Anomaly(upload, found, 4, options.rounds, options.seed, (), TIMINGS, picture)

    def _take(self, content: bytes, options: PredictOptions | AnomalyOptions) -> DecodedUpload:
        self.contents.append(content)
        self.options.append(options)
        if self.failure is not None:
            raise self.failure
        prepared = prepare(np.zeros((10, 8), np.uint8), self.model.manifest.input.contract)
        return DecodedUpload(prepared, ImageFormat.PNG, None, GateResult(Verdict.ACCEPTED))
