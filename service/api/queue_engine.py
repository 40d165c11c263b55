"""The engine that asks workers: an interactive request is a job of one item on a lane of its own."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from models.errors import (
    InvalidBundleError,
    OverloadedError,
    StoreUnavailableError,
    ThorascopeError,
    UploadTooLargeError,
)
from service.api.errors import NotReadyError
from service.inference.admission import Admission
from service.inference.answer_messages import anomaly_from_frame, prediction_from_frame
from service.inference.answers import Anomaly, AnomalyOptions, Prediction, PredictOptions
from service.inference.served import served_model
from service.inference.wire import BrokenWireError
from service.jobs.errors import UnknownJobError
from service.jobs.intake import Intake, IntakeLimits, Question, new_job_id
from service.jobs.job import Lane, Task
from service.jobs.ledger import Ledger
from service.jobs.packs import job_folder
from service.jobs.reconciler import Reconciler
from service.jobs.store import Store
from service.settings import Settings

_log = logging.getLogger(__name__)

T = TypeVar("T")

_TURN_S = 1.0  # between two looks at the ledger


class QueueEngine:
    """See `Engine`. Holds no model and decodes nothing; what is accepted survives a worker's death, as in any job."""

    def __init__(self, settings: Settings, ledger: Ledger, store: Store, reconciler: Reconciler) -> None:
        self.model = served_model(settings)
        self._settings = settings
        self._ledger = ledger
        self._store = store
        self._reconciler = reconciler
        self._threads = ThreadPoolExecutor(settings.queue_limit, thread_name_prefix="ask")
        self._admission = Admission(settings.queue_limit)
        self._is_ready = False
        self._closing = threading.Event()

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken now."""
        return self._is_ready

    async def is_served(self) -> bool:
        """Whether a worker takes interactive messages, as far as the ledger knows."""
        try:
            return await asyncio.to_thread(self._ledger.is_served, Lane.INTERACTIVE)
        except StoreUnavailableError:
            return False

    async def start(self) -> None:
        """Workers warm themselves."""
        self._is_ready = True

    async def close(self) -> None:
        """Wait for no answer any more; what was asked is cleared away."""
        self._is_ready = False
        self._closing.set()
        self._threads.shutdown(wait=False)

    async def predict(self, content: bytes, options: PredictOptions) -> Prediction:
        """See `Engine.predict`."""
        model = self.model.with_thresholds(options.thresholds)
        wanted = replace(options, thresholds=model.manifest.thresholds.name).to_json()
        limit_px = self._settings.pixel_limit_px
        return await self._ask(
            content, Task.PREDICT, wanted, lambda frame: prediction_from_frame(frame, model, limit_px)
        )

    async def map_anomalies(self, content: bytes, options: AnomalyOptions) -> Anomaly:
        """See `Engine.map_anomalies`."""
        wanted = options.to_json()
        limit_px = self._settings.pixel_limit_px
        return await self._ask(
            content, Task.ANOMALY_MAP, wanted, lambda frame: anomaly_from_frame(frame, self.model, limit_px)
        )

    async def _ask(self, content: bytes, task: Task, options: dict[str, Any], read: Callable[[bytes], T]) -> T:
        if len(content) > self._settings.upload_limit_bytes:
            raise UploadTooLargeError(f"the upload is larger than {self._settings.upload_limit_bytes} bytes")
        with self._admission:
            loop = asyncio.get_running_loop()
            frame = await loop.run_in_executor(self._threads, self._exchange, content, task, options)
            try:
                return await loop.run_in_executor(self._threads, read, frame)
            except BrokenWireError as error:
                raise InvalidBundleError("a worker serves another bundle than this process") from error

    def _exchange(self, content: bytes, task: Task, options: dict[str, Any]) -> bytes:
        """Put the upload down, wait for its answer, and clear both away."""
        job_id = new_job_id()
        intake = Intake(self._store, IntakeLimits(file_bytes=len(content) + 1), job_id)
        try:
            intake.put("upload", content)
            intake.commit(self._ledger, Question(task, 1, Lane.INTERACTIVE, options), None, time.time())
            self._reconciler.feed(Lane.INTERACTIVE)
            self._wait(job_id)
            (segment,) = self._ledger.segments(job_id)
            if segment.name.startswith("lost-"):
                raise StoreUnavailableError("every worker was lost over this image")
            return self._store.read(f"{job_folder(job_id)}/rows/{segment.name}")
        finally:
            self._clear(job_id)

    def _wait(self, job_id: str) -> None:
        """Until the job is over. A signal may be lost, or never be sent; it only saves a look at the ledger."""
        deadline = time.monotonic() + self._settings.queue_timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if self._closing.is_set():
                raise NotReadyError("the service is shutting down")
            if self._ledger.wait(job_id, min(left, _TURN_S)) or self._ledger.status(job_id).is_over:
                return
        raise OverloadedError(f"no worker answered within {self._settings.queue_timeout_s:g} s")

    def _clear(self, job_id: str) -> None:
        try:
            with suppress(UnknownJobError):  # it was never accepted, but its upload may be there
                self._reconciler.purge(job_id)
            self._store.delete(job_folder(job_id))
        except (ThorascopeError, OSError) as error:  # the answer counts; the reconciler sweeps up what stays behind
            _log.warning("an answered request was not cleared away", exc_info=error)
