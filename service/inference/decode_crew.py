"""Decoder processes, kept at their number by one thread for as long as they are wanted."""

import logging
import queue
import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack, suppress

from models.errors import OverloadedError
from service.inference.decode_worker import DecodeLimits, DecodeWorker
from service.prctl import close_to_others

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0  # for processes that died while idle
_BACK_OFF_S = (0.5, 1.0, 2.0, 5.0)


class DecodeCrew:
    """Starts processes, hands them out, and replaces those that are lost; any thread may ask.

    One thread starts them all: a process dies with the thread that made it (PR_SET_PDEATHSIG means the thread).

    Args:
        size: processes, never more; fewer only while the machine has no room for one.
    """

    def __init__(self, limits: DecodeLimits, decoder: str, size: int) -> None:
        self._limits = limits
        self._decoder = decoder
        self._size = size
        self._idle: queue.SimpleQueue[DecodeWorker] = queue.SimpleQueue()
        self._members: set[DecodeWorker] = set()
        self._thread: threading.Thread | None = None
        self._stop, self._wake = threading.Event(), threading.Event()

    @property
    def is_alive(self) -> bool:
        """Whether at least one process is."""
        return any(worker.is_alive for worker in tuple(self._members))

    def start(self) -> None:
        """Start all of them and wait for them; this process is closed to them first.

        Raises:
            OSError, TimeoutError, BrokenWireError: one does not come up.
        """
        close_to_others()
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="decode-start", daemon=True)
        self._thread.start()
        started.result()

    def close(self) -> None:
        """End all that are idle, and start no more."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def take(self) -> DecodeWorker:
        """A live process, for the caller alone until it is given back.

        Raises:
            OverloadedError: none was to be had in time.
        """
        deadline = time.monotonic() + self._limits.take_s
        while True:
            try:
                worker = self._idle.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise OverloadedError("no decoder process is ready") from None
            if worker.is_alive:
                return worker
            self.retire(worker, "died while idle")

    def give_back(self, worker: DecodeWorker) -> None:
        """It may be taken again."""
        if worker.is_alive:
            self._idle.put(worker)
        else:
            self.retire(worker, "died while idle")

    def retire(self, worker: DecodeWorker, reason: str) -> None:
        """End a process that was taken; another is started for it."""
        fields = {"reason": reason, "exit_status": worker.close(), "files": worker.num_files}
        _log.log(logging.INFO if reason == "age" else logging.WARNING, "decoder replaced", extra={"fields": fields})
        self._members.discard(worker)
        self._wake.set()

    def _run(self, started: Future[None]) -> None:
        try:
            self._start_workers(self._size)
        except BaseException as error:  # noqa: BLE001 it is the starter's to see
            started.set_exception(error)
            return
        started.set_result(None)
        failures = 0
        while not self._stop.is_set():
            failures = self._keep(failures)
        while not self._idle.empty():
            self._idle.get().close()

    def _keep(self, failures: int) -> int:
        """One round: wait until somebody is lost, or start one; how often in a row that has failed."""
        for _ in range(self._idle.qsize()):
            with suppress(queue.Empty):
                self.give_back(self._idle.get_nowait())
        if len(self._members) >= self._size:
            self._wake.wait(_LOOK_EVERY_S)
            self._wake.clear()
            return 0
        try:
            self._start_workers(1)
        except Exception:  # noqa: BLE001 with this thread, all processes would end
            _log.exception("no decoder process could be started")
            self._stop.wait(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
            return failures + 1
        return 0

    def _start_workers(self, count: int) -> None:
        """Start processes side by side; where one does not come up, none stays."""
        with ExitStack() as unfinished:
            workers = []
            for _ in range(count):
                workers.append(DecodeWorker.start(self._limits, self._decoder))
                unfinished.callback(workers[-1].close)
            for worker in workers:
                worker.wait_until_ready()
                _log.debug("decoder started", extra={"fields": worker.sandbox})
            unfinished.pop_all()
        self._members.update(workers)
        for worker in workers:
            self._idle.put(worker)
