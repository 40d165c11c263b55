"""Jobs as the API sees them: calls to ledger and store leave the event loop, and fail at once while Redis is away."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from models.errors import OverloadedError
from service.jobs.errors import ExpiredJobError, LedgerAwayError, UnknownJobError
from service.jobs.intake import Intake, IntakeLimits, Question, new_job_id
from service.jobs.job import Job, JobStatus
from service.jobs.ledger import Ledger
from service.jobs.packs import job_folder
from service.jobs.reconciler import Reconciler
from service.jobs.store import Store
from service.jobs.store_owner import require_claimable
from service.jobs.unpacking import Unpacking

_log = logging.getLogger(__name__)

T = TypeVar("T")

_TRY_AGAIN_S = 1.0
_LEDGER_THREADS = 8
_TABLE_THREADS = 2
_MAX_INTAKES = 64  # slow clients keep one open for long, at the cost of little but two open files and a thread
_UNPACKED_AT_ONCE = 4


class JobDesk:
    """Takes jobs in and tells of them.

    Its threads are its own: while Redis hangs, they wait and nobody else does. Those that ask the ledger, those that
    take jobs in and those that write tables are not the same: how far a job is, is told whatever is being taken in. An
    intake does one thing at a time and there is a thread for each, so that none waits while another is unpacked.

    Args:
        clock: seconds since the epoch.

    Attributes:
        closing: set when the service stops; streams of events end then.
        scratch: folder for files that live as long as a request; None for the system's temporary one.
    """

    def __init__(
        self, ledger: Ledger, store: Store, reconciler: Reconciler, limits: IntakeLimits, clock: Callable[[], float]
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.scratch = limits.scratch
        self._reconciler = reconciler
        self._limits = limits
        self._clock = clock
        self._ledger_threads = ThreadPoolExecutor(_LEDGER_THREADS, thread_name_prefix="jobs")
        self._intake_threads = ThreadPoolExecutor(_MAX_INTAKES, thread_name_prefix="job-intake")
        self._table_threads = ThreadPoolExecutor(_TABLE_THREADS, thread_name_prefix="job-table")
        self._unpacking = Unpacking(_UNPACKED_AT_ONCE)
        self._num_intakes = 0
        self._stop = threading.Event()
        self._away_until = 0.0
        self.closing = asyncio.Event()

    def start(self) -> None:
        """Keep jobs going from this process too."""
        threading.Thread(target=self._reconciler.run, args=(self._stop,), name="reconciler", daemon=True).start()

    def close(self) -> None:
        """Let go of everything; jobs go on elsewhere, or when the service is back."""
        self.closing.set()
        self._stop.set()
        self._unpacking.stop()
        for threads in (self._ledger_threads, self._intake_threads, self._table_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def ask(self, question: Callable[[], T]) -> T:
        """Run a call to ledger or store.

        Raises:
            LedgerAwayError: Redis is away; at once, where it was a moment ago.
            StoreUnavailableError: files cannot be had; the next call may fare better.
        """
        if time.monotonic() < self._away_until:
            raise LedgerAwayError("the job store does not answer")
        try:
            return await _run(self._ledger_threads, question)
        except LedgerAwayError:
            self._away_until = time.monotonic() + _TRY_AGAIN_S
            raise

    async def run(self, work: Callable[[], T]) -> T:
        """Run a step of an intake, which may take long, and has nothing to do with Redis."""
        return await _run(self._intake_threads, work)

    async def run_table(self, work: Callable[[], T]) -> T:
        """Run what writes a table; a few are written at once."""
        return await _run(self._table_threads, work)

    async def status(self, job_id: str) -> JobStatus:
        """Raises: UnknownJobError, ExpiredJobError, StoreUnavailableError."""
        return await self.ask(lambda: self.ledger.status(job_id))

    @asynccontextmanager
    async def intake(self) -> AsyncIterator[Intake]:
        """An intake for a new job, whose upload may begin; what is not accepted when an exception ends it is removed.

        Raises:
            OverloadedError, StoreUnavailableError, OutOfStorageError: before the first byte is taken.
        """
        if self._num_intakes >= _MAX_INTAKES:
            raise OverloadedError("as many jobs as can be taken in at once are on their way")
        self._num_intakes += 1
        try:
            await self.ask(self.ledger.ping)
            await self.run(self._require_place)
            intake = Intake(self.store, self._limits, new_job_id(), self._unpacking)
            try:
                yield intake
            except BaseException:
                await asyncio.shield(self.run(intake.discard))
                raise
        finally:
            self._num_intakes -= 1

    def _require_place(self) -> None:
        """Tell of a store that is another's, or full, before an upload rather than after it."""
        require_claimable(self.ledger, self.store)
        self.store.require_room()

    async def commit(self, intake: Intake, question: Question, key: str | None) -> JobStatus:
        """Accept the job, and have it started. Raises as `Intake.commit`."""

        def accept() -> JobStatus:
            claim = None if key is None else intake.claim(key, question)
            now, total = self._clock(), intake.num_items
            job_id = intake.commit(self.ledger, question, claim, now)
            try:
                self._reconciler.feed(question.lane)
            except Exception:  # noqa: BLE001 accepted is accepted: told anything else, a client may send it all again
                _log.exception("an accepted job waits for the reconciler")
            try:
                return self.ledger.status(job_id)
            except (UnknownJobError, ExpiredJobError):
                raise  # an earlier job under the same key, or one that somebody has deleted by now
            except Exception:  # noqa: BLE001 as above
                _log.exception("an accepted job is told of as it was sent")
                job = Job(job_id, question.task, total, question.batch_size, now, question.lane, question.options)
                return JobStatus(job, done=0, failed=0)

        return await self.ask(accept)

    async def cancel(self, job_id: str) -> JobStatus:
        """Stop what is not final. Raises as `status`."""
        await self.ask(lambda: self.ledger.cancel(job_id, self._clock()))
        return await self.status(job_id)

    async def delete(self, job_id: str) -> None:
        """Purge it; of a job that is gone, what an earlier call could not remove. Raises as `status`."""
        gone: ExpiredJobError | None = None
        try:
            await self.ask(partial(self.ledger.delete, job_id))
        except ExpiredJobError as error:
            gone = error
        removed = await _run(self._ledger_threads, partial(self.store.delete, job_folder(job_id)))
        if gone is not None and not removed:
            raise gone


async def _run(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, work)
