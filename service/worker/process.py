"""A worker process: Celery's consumer in the main thread, the engine on a loop beside it, and a pulse.

One message at a time, in this process (Celery's solo pool): nothing is forked after ONNX Runtime has started its
threads, and a GPU has one owner. More workers are more processes.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from celery import Celery
from celery.signals import worker_ready

from models.errors import ThorascopeError
from service.inference.batch_engine import BatchEngine
from service.jobs.build import JobParts
from service.jobs.job import Chunk, Lane
from service.jobs.queue import TASK, queue_name
from service.settings import Settings
from service.worker.presence import Presence
from service.worker.pulse import Pulse, PulseLimits
from service.worker.runner import Holder, Runner, run_forever
from service.worker.scorer import Scorer

_log = logging.getLogger(__name__)

T = TypeVar("T")

_SPARE_S = 30.0  # a decoder process may have to start before the one file it takes begins


class WorkerProcess:
    """Everything a worker is made of.

    Args:
        lanes: to take messages from, the more urgent first.
    """

    def __init__(self, settings: Settings, parts: JobParts, engine: BatchEngine, lanes: Sequence[Lane]) -> None:
        self._engine = engine
        self._parts = parts
        self._lanes = lanes
        self._loop = asyncio.new_event_loop()
        self._stop = threading.Event()
        limits = PulseLimits(settings.lease_s, settings.watchdog_s, 2 * settings.decode_timeout_s + _SPARE_S)
        self._pulse = Pulse(parts.ledger, parts.owner, limits, self._work_waits, time.monotonic, _end_this_process)
        self._presence = Presence(parts.ledger, lanes, settings.lease_s)
        scorer = Scorer(engine, parts.ledger.note_fault, self._pulse.step, settings.decode_workers + 1)
        holder = Holder(parts.owner, settings.lease_s)
        self._runner = Runner(parts.ledger, parts.store, scorer, self._pulse, self._submit, holder)

    def run(self) -> int:
        """Work until SIGTERM or SIGINT; a chunk in hand is finished first.

        Returns:
            The exit status.
        """
        engine = threading.Thread(target=run_forever, args=(self._loop,), name="engine", daemon=True)
        engine.start()
        self._submit(self._engine.start()).result()
        self._start_thread("presence", self._presence.run)
        self._start_thread("reconciler", self._parts.reconciler.run)
        _log.info("worker ready", extra={"fields": {"lanes": list(self._lanes)}})
        try:
            return self._consume(self._parts.celery)
        finally:
            self._stop.set()
            self._submit(self._engine.close()).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            engine.join()
            self._loop.close()

    def _consume(self, app: Celery) -> int:
        @app.task(name=TASK)  # type: ignore[untyped-decorator]
        def score(job_id: str, start: int, stop: int) -> None:
            self._runner.run(job_id, Chunk(start, stop))
            self._feed()

        def listen(**_told: object) -> None:
            self._pulse.step()  # to start may take longer than a watchdog's patience, and nothing can be taken before
            self._start_thread("pulse", self._pulse.run)

        worker_ready.connect(listen, weak=False)
        app.finalize()
        worker = app.Worker(
            pool="solo",
            queues=[queue_name(lane) for lane in self._lanes],
            hostname=f"thorascope-{os.getpid()}@{socket.gethostname()}",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
            loglevel=logging.getLogger().level or logging.INFO,
        )
        worker.start()
        return int(worker.exitcode or 0)

    def _start_thread(self, name: str, run: Callable[[threading.Event], None]) -> None:
        threading.Thread(target=run, args=(self._stop,), name=name, daemon=True).start()

    def _feed(self) -> None:
        """Keep the lane filled without waiting for the reconciler."""
        try:
            for lane in self._lanes:
                self._parts.reconciler.feed(lane)
        except ThorascopeError:
            return  # the reconciler will

    def _work_waits(self) -> bool:
        return any(self._parts.queue.waiting(lane) for lane in self._lanes)

    def _submit(self, coroutine: Coroutine[Any, Any, T], /) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


def _end_this_process() -> None:
    """Not even clean-up is left to a process that no longer does what it should."""
    os.kill(os.getpid(), signal.SIGKILL)
