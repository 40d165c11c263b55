"""What keeps jobs going whatever died: offers what is overdue, writes off what is hopeless, purges what is old."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from models.errors import ThorascopeError
from service.jobs.errors import ExpiredJobError, UnknownJobError, WorkerLostError
from service.jobs.intake import write_segment
from service.jobs.job import Chunk, Lane
from service.jobs.ledger import LOSS_LIMIT, Ledger
from service.jobs.outcome import Failure, Outcome
from service.jobs.packs import job_folder, uploads_folder
from service.jobs.queue import Queue
from service.jobs.store import Store

_log = logging.getLogger(__name__)

# Messages waiting in a lane. Enough for a few workers to find one at any time; few enough that a job costs as much an
# item whether it has a hundred or a hundred thousand, and that a cancelled one leaves little behind.
WINDOW = 32
_TICK_S = 1.0
_SWEEP_EVERY_S = 60.0
_LOCK_S = 10.0
_ORPHAN_S = 86400.0  # an upload nobody accepted may still be on its way in; not that long, though


@dataclass(frozen=True, slots=True)
class Retention:
    """How long after a job's end its parts are kept, in seconds."""

    uploads_s: float
    results_s: float


class Reconciler:
    """Runs in every process that has a ledger; the ledger sees to it that one at a time does anything.

    Args:
        owner: tells this process from others.
        clock: seconds since the epoch.
    """

    def __init__(
        self, ledger: Ledger, queue: Queue, store: Store, retention: Retention, owner: str, clock: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._store = store
        self._retention = retention
        self._owner = owner
        self._clock = clock
        self._next_sweep = 0.0
        self._without_uploads: set[str] = set()

    def feed(self, lane: Lane) -> int:
        """Send messages about overdue chunks until the lane's window is full; how many. Any process, at any time."""
        room = WINDOW - self._queue.waiting(lane)
        offers = self._ledger.offer(lane, room, self._clock()) if room > 0 else []
        for offer in offers:
            self._queue.send(lane, offer)
        return len(offers)

    def tick(self) -> None:
        """One round. Raises StoreUnavailableError."""
        if not self._ledger.acquire("reconciler", self._owner, _LOCK_S):
            return
        for lane in Lane:
            self.feed(lane)
        for job_id, index in self._ledger.hopeless(100):
            self._write_off(job_id, index)
        if self._clock() >= self._next_sweep:
            self._next_sweep = self._clock() + _SWEEP_EVERY_S
            self.sweep()

    def sweep(self) -> int:
        """Purge what retention no longer covers, and what belongs to no job; how many jobs went."""
        now = self._clock()
        old = self._ledger.finished_before(now - self._retention.results_s, 1000)
        for job_id in old:
            self.purge(job_id)
        ended = set(self._ledger.finished_before(now - self._retention.uploads_s, 10_000))
        for job_id in ended - self._without_uploads:
            self._store.delete(uploads_folder(job_id))
        self._without_uploads = ended
        folders = [name for name, changed in self._store.folders("jobs") if changed < now - _ORPHAN_S]
        for name, known in zip(folders, self._ledger.exists(folders), strict=True):
            if not known:
                self._store.delete(job_folder(name))
        return len(old)

    def purge(self, job_id: str) -> None:
        """Forget a job: its rows first, then its files. Raises UnknownJobError; a job purged before is fine."""
        try:
            self._ledger.delete(job_id)
        except ExpiredJobError:
            _log.debug("purged before")
        self._store.delete(job_folder(job_id))

    def run(self, stop: threading.Event) -> None:
        """Tick until told to stop; a store that is away is waited for."""
        while not stop.wait(_TICK_S):
            try:
                self.tick()
            except (ThorascopeError, OSError) as error:
                _log.warning("reconciler waits", extra={"fields": {"error": type(error).__name__}})

    def _write_off(self, job_id: str, index: int) -> None:
        detail = f"{LOSS_LIMIT} workers were lost while they had this file alone"
        failure = Failure(WorkerLostError.code, detail)
        segment = f"lost-{index}"
        try:
            self._ledger.status(job_id)
            write_segment(self._store, job_id, segment, [Outcome(index, failure=failure)])
        except (UnknownJobError, ExpiredJobError):
            _log.debug("a job that is gone has nothing to write off")
        self._ledger.finish(job_id, Chunk(index, index + 1), segment, {index: True}, self._clock())
        self._ledger.signal(job_id)
