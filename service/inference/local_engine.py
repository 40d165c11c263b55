"""The engine inside this process: decoder processes, ONNX Runtime sessions, and bounded threads around them."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from models.errors import InvalidRequestError, UploadTooLargeError
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import Bundle
from models.runtime.classifier import Classifier
from service.inference.admission import Admission
from service.inference.answers import (
    Anomaly,
    AnomalyOptions,
    Prediction,
    PredictOptions,
    Saliency,
    ServedModel,
)
from service.inference.clock import Clock, ms_since
from service.inference.compose import compose_findings, draw_anomaly, draw_findings
from service.inference.decode_pool import DecodePool
from service.inference.maps import boxes_of
from service.inference.notes import finding_notes, picture_notes
from service.inference.upload import DecodedUpload, DecodeOrder

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How much one engine takes on.

    Attributes:
        requests: inside the engine at once, waiting ones included.
        upload_bytes: largest file.
        pixels: largest picture.
        graph_runs: at once.
        threads: of one graph run; 0 leaves the number to the runtime.
        spinning: whether idle threads of a graph wait actively.
    """

    requests: int = 32
    upload_bytes: int = 64 * 2**20
    pixels: int = 64_000_000
    graph_runs: int = 1
    threads: int = 0
    spinning: bool = True


class LocalEngine:
    """Serves one bundle from this process.

    A request waits for a decoder process, then for a graph run (where requests may one day be put together into
    batches), then for a thread that draws boxes and pictures. Each of the three is bounded, and so is their sum.
    """

    def __init__(self, bundle: Bundle, pool: DecodePool, limits: EngineLimits) -> None:
        self._classifier = Classifier.open(bundle, threads=limits.threads, spinning=limits.spinning)
        has_reconstructor = bundle.manifest.reconstructor is not None
        self._detector = (
            AnomalyDetector.open(bundle, threads=limits.threads, spinning=limits.spinning)
            if has_reconstructor
            else None
        )
        self._pool = pool
        self._limits = limits
        self._graphs = ThreadPoolExecutor(limits.graph_runs, thread_name_prefix="graph")
        self._drawing = ThreadPoolExecutor(2, thread_name_prefix="draw")
        self._admission = Admission(limits.requests)
        self._is_ready = False
        self.model = ServedModel(bundle.manifest, bundle.sha256)

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken now."""
        return self._is_ready

    async def is_served(self) -> bool:
        """By this process, once it is ready, and while it has a process to decode with."""
        return self._is_ready and self._pool.is_alive

    async def start(self) -> None:
        """Start the decoder processes and run each graph once."""
        await asyncio.gather(self._pool.start(), self._run(self._graphs, self._warm_up))
        self._is_ready = True

    async def close(self) -> None:
        """Let running requests finish, then end the processes and threads."""
        self._is_ready = False
        await self._pool.close()
        self._graphs.shutdown(wait=True)
        self._drawing.shutdown(wait=True)

    async def predict(self, content: bytes, options: PredictOptions) -> Prediction:
        """See `Engine.predict`; without saliency the maps are not computed."""
        model = self.model.with_thresholds(options.thresholds)
        with self._admission:
            clock = Clock()
            upload = await self._decode(
                content, refuse_rejected=options.refuse_rejected, keep_pixels=options.overlay, clock=clock
            )
            images = upload.model_input.image[None, None]
            wants_maps = options.saliency is not Saliency.NONE
            output = await self._infer(lambda: self._classifier.predict(images, saliency=wants_maps), clock)
            findings = await self._run(
                self._drawing, compose_findings, self._classifier, output, upload, options, model.manifest
            )
            notes = finding_notes(model, upload.gate, findings)
            overlay = (
                await self._run(self._drawing, draw_findings, upload, findings, notes) if options.overlay else None
            )
            return Prediction(upload, findings, clock.timings(), overlay)

    async def map_anomalies(self, content: bytes, options: AnomalyOptions) -> Anomaly:
        """See `Engine.map_anomalies`."""
        detector, masks = self._detector_for(options)
        with self._admission:
            clock = Clock()
            upload = await self._decode(
                content, refuse_rejected=options.refuse_rejected, keep_pixels=False, clock=clock
            )
            images, contents = upload.model_input.image[None, None], [upload.placement.content]
            (found,) = await self._infer(
                lambda: detector.run(images, contents, masks=masks, rounds=options.rounds, seed=options.seed), clock
            )
            threshold = detector.spec.map_threshold
            boxes = await self._run(self._drawing, boxes_of, found.scaled, upload.placement, threshold)
            notes = picture_notes(self.model, upload.gate)
            picture = await self._run(self._drawing, draw_anomaly, found, upload, notes) if options.picture else None
            return Anomaly(
                upload, found, masks, options.rounds, options.seed, boxes, timings=clock.timings(), picture=picture
            )

    def _detector_for(self, options: AnomalyOptions) -> tuple[AnomalyDetector, int]:
        """The detector, and K."""
        detector = self._detector
        if detector is None:
            raise InvalidRequestError("the served bundle has no reconstructor, hence no anomaly maps")
        masks = detector.spec.default_masks if options.masks is None else options.masks
        if masks not in detector.spec.masks:
            raise InvalidRequestError(f"masks must be one of {', '.join(map(str, detector.spec.masks))}")
        return detector, masks

    async def _decode(self, content: bytes, *, refuse_rejected: bool, keep_pixels: bool, clock: Clock) -> DecodedUpload:
        if len(content) > self._limits.upload_bytes:
            raise UploadTooLargeError(f"the upload is larger than {self._limits.upload_bytes} bytes")
        order = DecodeOrder(
            contract=self.model.manifest.input.contract,
            limit_px=self._limits.pixels,
            refuse_rejected=refuse_rejected,
            keep_pixels=keep_pixels,
        )
        started = time.perf_counter()
        upload = await self._pool.decode(content, order)
        clock.decode_ms = upload.decode_ms
        clock.queue_ms += max(0.0, ms_since(started) - upload.decode_ms)
        return upload

    async def _infer(self, run_graph: Callable[[], T], clock: Clock) -> T:
        asked = time.perf_counter()

        def timed() -> T:
            clock.queue_ms += ms_since(asked)
            started = time.perf_counter()
            result = run_graph()
            clock.infer_ms = ms_since(started)
            return result

        return await self._run(self._graphs, timed)

    async def _run(self, threads: ThreadPoolExecutor, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)

    def _warm_up(self) -> None:
        side = self.model.manifest.input.side
        images = np.zeros((1, 1, side, side), np.uint8)
        self._classifier.predict(images, saliency=True)
        self._classifier.predict(images, saliency=False)
        if self._detector is not None:
            self._detector.run(images)
