"""What a worker does with a message: lease, decode, score, write each outcome once."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from models.errors import InvalidBundleError, OverloadedError, StoreUnavailableError, ThorascopeError
from service.inference.answer_messages import anomaly_to_frame, failure_to_frame, prediction_to_frame
from service.inference.answers import AnomalyOptions, PredictOptions
from service.jobs.errors import ExpiredJobError, LedgerAwayError, OutOfStorageError, UnknownJobError
from service.jobs.job import Chunk, Job, Lane, Task
from service.jobs.ledger import Ledger
from service.jobs.packs import job_folder, read_uploads
from service.jobs.store import Store
from service.jobs.store_owner import require_own_store
from service.worker.pulse import Pulse
from service.worker.scorer import Scorer
from service.worker.work import new_segment, score_chunk

_log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_S = 0.5
_RETRY_FOR_S = 120.0  # results in hand are offered to a ledger that is away for so long


class Submit(Protocol):
    """Runs a coroutine on the loop that the engine lives on."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> Future[T]: ...


@dataclass(frozen=True, slots=True)
class Holder:
    """How this process leases.

    Attributes:
        owner: its name in the ledger.
        lease_s: how long it may be silent.
        pause_s: after which a chunk that was given back is offered again, and a store that was not seen is looked for.
    """

    owner: str
    lease_s: float
    pause_s: float = 5.0


class Runner:
    """Does the work of one message after the other; owns nothing that another worker could miss.

    Args:
        submit: to the engine's loop.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        scorer: Scorer,
        pulse: Pulse,
        submit: Submit,
        holder: Holder,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._engine = scorer.engine
        self._scorer = scorer
        self._pulse = pulse
        self._submit = submit
        self._owner, self._lease_s, self._pause_s = holder.owner, holder.lease_s, holder.pause_s
        self._job = lru_cache(maxsize=16)(ledger.job)

    def run(self, job_id: str, chunk: Chunk) -> None:
        """Do one chunk. A message that comes twice, late, or about what is gone does nothing."""
        self._pulse.hold(job_id, chunk)
        try:
            self._take(job_id, chunk)
        finally:
            self._pulse.let_go()

    def _take(self, job_id: str, chunk: Chunk) -> None:
        try:
            require_own_store(self._ledger, self._store)
            items = self._ledger.lease(job_id, chunk, self._owner, self._lease_s)
            job = self._job(job_id) if items else None
        except (UnknownJobError, ExpiredJobError, LedgerAwayError):
            return  # what is still to be done will be offered again
        except StoreUnavailableError as error:
            _log.error("no chunk is taken: %s", error)
            time.sleep(self._pause_s)  # messages are left to workers who see the store
            return
        if job is not None:
            self._work(job, chunk, items)

    def _work(self, job: Job, chunk: Chunk, items: list[int]) -> None:
        try:
            if job.lane is Lane.INTERACTIVE:
                self._answer(job, chunk)
            else:
                self._score(job, chunk, items)
        except FileNotFoundError:
            self._miss_files(job.id, chunk)
        except InvalidBundleError as error:  # the chunk is lost as if we were: it comes back in halves
            _log.error("the graph failed on a chunk", exc_info=error)
        except (OverloadedError, StoreUnavailableError, OutOfStorageError, OSError) as error:
            _log.warning("chunk given back", extra={"fields": {"error": type(error).__name__}})
            self._give_back(job.id, chunk)

    def _score(self, job: Job, chunk: Chunk, items: list[int]) -> None:
        work = score_chunk(self._scorer, self._store, job, chunk, frozenset(items))
        outcomes, segment = self._submit(work).result()
        self._finish(job, chunk, segment, {row.index: row.failure is not None for row in outcomes})

    def _answer(self, job: Job, chunk: Chunk) -> None:
        """One upload that somebody waits for: the whole answer, arrays and all, as a frame."""
        ((_, content),) = read_uploads(self._store, job.id, chunk)
        frame = self._submit(self._ask(job, content)).result()
        segment = new_segment(chunk)
        with self._store.create(f"{job_folder(job.id)}/rows/{segment}") as file:
            file.writelines(frame)
        self._finish(job, chunk, segment, {0: False})
        with suppress(StoreUnavailableError):  # who waits looks at the ledger too
            self._ledger.signal(job.id)

    async def _ask(self, job: Job, content: bytes) -> Iterator[bytes]:
        try:
            if job.task is Task.PREDICT:
                return prediction_to_frame(await self._engine.predict(content, PredictOptions.from_json(job.options)))
            return anomaly_to_frame(await self._engine.map_anomalies(content, AnomalyOptions.from_json(job.options)))
        except OverloadedError:
            raise StoreUnavailableError("no decoder process is ready") from None
        except InvalidBundleError as error:
            _log.error("the graph failed on an upload", exc_info=error)  # its words may name files: for the log alone
            return failure_to_frame(InvalidBundleError("the graph failed; the worker's log says why"))
        except ThorascopeError as error:
            return failure_to_frame(error)

    def _finish(self, job: Job, chunk: Chunk, segment: str, outcomes: dict[int, bool]) -> None:
        deadline = time.monotonic() + _RETRY_FOR_S
        while True:
            try:
                if self._ledger.finish(job.id, chunk, segment, outcomes) is None:
                    self._store.delete(job_folder(job.id))  # deleted meanwhile: what we wrote goes too
            except StoreUnavailableError:
                if time.monotonic() > deadline:
                    raise
                self._pulse.step()
                time.sleep(_RETRY_S)
            else:
                return

    def _miss_files(self, job_id: str, chunk: Chunk) -> None:
        """They were deleted while we looked, with their job; or they are where we cannot see them, and others might."""
        with suppress(UnknownJobError, ExpiredJobError, StoreUnavailableError):
            if not self._ledger.status(job_id).is_over:
                _log.error("a job's files are not in this upload store", extra={"fields": {"job": job_id}})
                self._give_back(job_id, chunk)
                time.sleep(self._pause_s)

    def _give_back(self, job_id: str, chunk: Chunk) -> None:
        try:
            self._ledger.release(job_id, chunk, self._owner, self._pause_s)
        except StoreUnavailableError:
            return  # the lease runs out by itself


def run_forever(loop: asyncio.AbstractEventLoop) -> None:
    """The body of the thread that the engine's loop runs in."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
