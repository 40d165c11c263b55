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
from service.jobs.store_owner import ForeignStoreError, UnclaimedStoreError, is_unused, require_own_store

_log = logging.getLogger(__name__)

# Messages waiting in a lane. Enough for a few workers to find one at any time; few enough that a job costs as much an
# item whether it has a hundred or a hundred thousand, and that a cancelled one leaves little behind.
WINDOW = 32
_TICK_S = 1.0
_SWEEP_EVERY_S = 60.0
_LOOK_EVERY_S = 60.0  # whether the store is ours
_FOREIGN_S = 30.0  # until somebody has seen to it
_LOCK_S = 10.0
_MANY_JOBS = 1000  # in one sweep; the next goes on
_MANY_UPLOADS = 10_000
_ORPHAN_S = 86400.0  # an upload nobody accepted may still be on its way in; not that long, though


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a job's parts are kept, in seconds.

    Attributes:
        uploads_s, results_s: after its end.
        interactive_s: all of an interactive job, after its creation; longer than anybody waits for its answer. It is
            for what an API process left behind that ended, or lost its store, before it could clear up.
    """

    uploads_s: float
    results_s: float
    interactive_s: float = 900.0


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
        self._next_sweep = self._next_look = 0.0
        self._waits_for = ""

    def feed(self, lane: Lane) -> int:
        """Send messages about overdue chunks until the lane's window is full; how many. Any process, at any time."""
        room = WINDOW - self._queue.waiting(lane)
        offers = self._ledger.offer(lane, room) if room > 0 else []
        for offer in offers:
            self._queue.send(lane, offer)
        return len(offers)

    def tick(self) -> None:
        """One round. Raises StoreUnavailableError, and as `require_own_store`."""
        if self._clock() >= self._next_look:  # before the lock: who does not see the store leaves it to others
            require_own_store(self._ledger, self._store)
            self._next_look = self._clock() + _LOOK_EVERY_S
        if not self._ledger.acquire("reconciler", self._owner, _LOCK_S):
            return
        for lane in Lane:
            self.feed(lane)
        if self._clock() >= self._next_sweep:
            self._next_sweep = self._clock() + _SWEEP_EVERY_S
            self.sweep()  # before the write-offs: they need room, and it makes some
        self._write_off_hopeless()

    def sweep(self) -> int:
        """Purge what retention no longer covers, and what belongs to no job; how many jobs went.

        Raises as `require_own_store`, before anything is touched.
        """
        try:
            require_own_store(self._ledger, self._store)
        except UnclaimedStoreError:
            if is_unused(self._ledger, self._store):
                return 0
            raise
        now = self._clock()
        old = set(self._ledger.finished_before(now - self._retention.results_s, _MANY_JOBS))
        old |= set(self._ledger.interactive_before(now - self._retention.interactive_s, _MANY_JOBS))
        for job_id in old:
            self._forget(job_id)
            self._removes(job_folder(job_id))  # what stays belongs to no job then, and is tried again as such
        ended = self._ledger.uploads_before(now - self._retention.uploads_s, _MANY_UPLOADS)
        self._ledger.forget_uploads([job_id for job_id in ended if self._removes(uploads_folder(job_id))])
        folders = list(self._store.folders("jobs"))
        for name, known in zip(folders, self._ledger.exists(folders), strict=True):
            if not known and self._last_write(job_folder(name)) < now - _ORPHAN_S:
                self._removes(job_folder(name))
        return len(old)

    def purge(self, job_id: str) -> None:
        """Forget a job: its rows first, then its files; one that was purged before is fine.

        Raises UnknownJobError, and as `require_own_store`.
        """
        require_own_store(self._ledger, self._store)
        self._forget(job_id)
        self._store.delete(job_folder(job_id))

    def run(self, stop: threading.Event) -> None:
        """Tick until told to stop; a store that is away is waited for, and no exception ends it."""
        pause_s = _TICK_S
        while not stop.wait(pause_s):
            pause_s = _TICK_S
            try:
                self.tick()
                self._waits_for = ""
            except UnclaimedStoreError:
                _log.debug("no job was accepted yet")  # or the store is another: who is to work on a job will say so
            except ForeignStoreError as error:
                _log.error("jobs stand still: %s", error)
                pause_s = _FOREIGN_S
            except (ThorascopeError, OSError) as error:
                self._tell(error)
            except Exception:  # noqa: BLE001 a thread that ends says nothing, and no lost chunk would come back
                _log.exception("a round of the reconciler failed")

    def _tell(self, error: Exception) -> None:
        """Say why nothing goes on, once: an hour without Redis has 3,600 rounds."""
        why = type(error.__cause__ or error).__name__
        if why != self._waits_for:
            _log.warning("reconciler waits", extra={"fields": {"error": why}})
        self._waits_for = why

    def _forget(self, job_id: str) -> None:
        try:
            self._ledger.delete(job_id)
        except ExpiredJobError:
            _log.debug("purged before")

    def _removes(self, folder: str) -> bool:
        """Whether the folder is gone; one that stays is tried again, and keeps no other from going."""
        try:
            self._store.delete(folder)
        except (ThorascopeError, OSError) as error:
            _log.warning("a folder was not removed", extra={"fields": {"error": type(error).__name__}})
            return False
        return True

    def _last_write(self, folder: str) -> float:
        """As the store has it; a folder that cannot be read is looked at again, and keeps no other from going."""
        try:
            return self._store.last_write(folder)
        except (ThorascopeError, OSError) as error:
            _log.warning("a folder was not read", extra={"fields": {"error": type(error).__name__}})
            return float("inf")

    def _write_off_hopeless(self) -> None:
        for job_id, index in self._ledger.hopeless(100):
            try:
                self._write_off(job_id, index)
            except (ThorascopeError, OSError) as error:  # a full disk, say; the others may need no room
                _log.warning("write-off waits", extra={"fields": {"error": type(error).__name__}})

    def _write_off(self, job_id: str, index: int) -> None:
        detail = f"{LOSS_LIMIT} workers were lost while they had this file alone"
        failure = Failure(WorkerLostError.code, detail)
        segment = f"lost-{index}"
        try:
            self._ledger.status(job_id)
            write_segment(self._store, job_id, segment, [Outcome(index, failure=failure)])
        except (UnknownJobError, ExpiredJobError):
            _log.debug("a job that is gone has nothing to write off")
        self._ledger.finish(job_id, Chunk(index, index + 1), segment, {index: True})
        self._ledger.signal(job_id)
