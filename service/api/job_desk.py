"""Jobs as the API sees them: calls to ledger and store leave the event loop, and fail at once while Redis is away."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

from models.errors import OverloadedError, StoreUnavailableError
from service.jobs.errors import ExpiredJobError, LedgerAwayError
from service.jobs.intake import Intake, IntakeLimits, Question, new_job_id
from service.jobs.job import JobStatus
from service.jobs.ledger import Ledger
from service.jobs.packs import job_folder
from service.jobs.reconciler import Reconciler
from service.jobs.store import Store

T = TypeVar("T")

_TRY_AGAIN_S = 1.0
_LEDGER_THREADS = 8
_FILE_THREADS = 4
_MAX_INTAKES = 64  # slow clients keep one open for long, at the cost of little but two open files


class JobDesk:
    """Takes jobs in and tells of them.

    Its threads are its own: while Redis hangs, they wait and nobody else does. Those that unpack archives and write
    tables are others than those that ask the ledger: how far a job is, is told whatever is being taken in.

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
        self._file_threads = ThreadPoolExecutor(_FILE_THREADS, thread_name_prefix="job-files")
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
        for threads in (self._ledger_threads, self._file_threads):
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
        """Run what reads or writes files, which may take long, and has nothing to do with Redis."""
        return await _run(self._file_threads, work)

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
            await self.run(self.store.require_room)
            intake = Intake(self.store, self._limits, new_job_id())
            try:
                yield intake
            except BaseException:
                await asyncio.shield(self.run(intake.discard))
                raise
        finally:
            self._num_intakes -= 1

    async def commit(self, intake: Intake, question: Question, key: str | None) -> JobStatus:
        """Accept the job, and have it started. Raises as `Intake.commit`."""

        def accept() -> JobStatus:
            claim = None if key is None else intake.claim(key, question)
            job_id = intake.commit(self.ledger, question, claim, self._clock())
            with suppress(StoreUnavailableError):  # accepted is accepted; the reconciler will send it
                self._reconciler.feed(question.lane)
            return self.ledger.status(job_id)

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
