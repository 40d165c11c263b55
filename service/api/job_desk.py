"""Jobs as the API sees them: calls to ledger and store leave the event loop, and fail at once while Redis is away."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from models.errors import StoreUnavailableError
from service.jobs.intake import Intake, IntakeLimits, Question, new_job_id
from service.jobs.job import JobStatus
from service.jobs.ledger import Ledger
from service.jobs.reconciler import Reconciler
from service.jobs.store import Store

T = TypeVar("T")

_TRY_AGAIN_S = 1.0


class JobDesk:
    """Takes jobs in and tells of them.

    Its threads are its own: while Redis hangs, they wait and nobody else does.

    Args:
        clock: seconds since the epoch.

    Attributes:
        closing: set when the service stops; streams of events end then.
    """

    def __init__(
        self, ledger: Ledger, store: Store, reconciler: Reconciler, limits: IntakeLimits, clock: Callable[[], float]
    ) -> None:
        self.ledger = ledger
        self.store = store
        self._reconciler = reconciler
        self._limits = limits
        self._clock = clock
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="jobs")
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
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def ask(self, question: Callable[[], T]) -> T:
        """Run a call to ledger or store.

        Raises:
            StoreUnavailableError: Redis is away; at once, where it was a moment ago.
        """
        if time.monotonic() < self._away_until:
            raise StoreUnavailableError("the job store does not answer")
        try:
            return await self.run(question)
        except StoreUnavailableError:
            self._away_until = time.monotonic() + _TRY_AGAIN_S
            raise

    async def run(self, work: Callable[[], T]) -> T:
        """Run what blocks, and has nothing to do with Redis."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def status(self, job_id: str) -> JobStatus:
        """Raises: UnknownJobError, ExpiredJobError, StoreUnavailableError."""
        return await self.ask(lambda: self.ledger.status(job_id))

    async def begin(self) -> Intake:
        """An intake for a new job, whose upload may begin.

        Raises:
            StoreUnavailableError, OutOfStorageError: before the first byte is taken.
        """
        await self.ask(self.ledger.ping)
        await self.run(self.store.require_room)
        return Intake(self.store, self._limits, new_job_id())

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
        """Purge it. Raises as `status`."""

        def purge() -> None:
            self.ledger.delete(job_id)
            self._reconciler.purge(job_id)

        await self.ask(purge)
