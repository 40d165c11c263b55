"""The items of one chunk, answered together: decoded in child processes, scored as one batch."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from models.errors import (
    DecoderFaultError,
    InvalidRequestError,
    OverloadedError,
    StoreUnavailableError,
    ThorascopeError,
)
from service.inference.anomaly_schema import AnomalyResponse
from service.inference.answers import AnomalyOptions, PredictOptions, Saliency
from service.inference.batch_engine import BatchEngine
from service.inference.predict_schema import PredictResponse
from service.inference.upload import DecodedUpload
from service.jobs.job import Job, Task
from service.jobs.ledger import FAULT_LIMIT
from service.jobs.outcome import Failure, Outcome

_PER_REQUEST = {"request_id", "timings_ms"}  # what rows leave out: the same item gives the same row


class Scorer:
    """Answers chunks with one engine.

    Args:
        note_fault: counts a decoder process lost over (job id, index); how many that makes.
        on_progress: called after every step; whoever listens knows that this worker lives.
    """

    def __init__(
        self, engine: BatchEngine, note_fault: Callable[[str, int], int], on_progress: Callable[[], None], at_once: int
    ) -> None:
        self.engine = engine
        self._note_fault = note_fault
        self._on_progress = on_progress
        self._at_once = at_once

    async def score(self, job: Job, uploads: Iterable[tuple[int, bytes]]) -> list[Outcome]:
        """An outcome an upload. All belong to one chunk, so to one batch.

        Raises:
            OverloadedError, StoreUnavailableError: not now.
            InvalidBundleError: the graph fails on this batch.
        """
        refuse_rejected = job.options.get("gate", "on") == "on"
        room = asyncio.Semaphore(self._at_once)  # files in memory at once
        outcomes: list[Outcome] = []
        decoded: dict[int, DecodedUpload] = {}

        async def decode(index: int, content: bytes) -> None:
            try:
                decoded[index] = await self._decode(job.id, index, content, refuse_rejected=refuse_rejected)
            except (OverloadedError, StoreUnavailableError):
                raise  # of this moment, not of this file
            except ThorascopeError as error:
                outcomes.append(Outcome(index, failure=Failure.of(error)))
            finally:
                room.release()
                self._on_progress()

        tasks: list[asyncio.Task[None]] = []
        files = iter(uploads)
        try:
            while True:
                await room.acquire()
                following = await asyncio.to_thread(next, files, None)
                if following is None:
                    break
                tasks.append(asyncio.create_task(decode(*following)))
        finally:
            failures = [found for found in await asyncio.gather(*tasks, return_exceptions=True) if found is not None]
        for failure in failures:
            raise failure
        if decoded:
            outcomes += await self._answer(job, decoded)
        self._on_progress()
        return sorted(outcomes, key=lambda outcome: outcome.index)

    async def _decode(self, job_id: str, index: int, content: bytes, *, refuse_rejected: bool) -> DecodedUpload:
        while True:
            try:
                return await self.engine.decode(content, refuse_rejected=refuse_rejected)
            except DecoderFaultError:
                # Perhaps it was the machine and not the file: once more, by another process.
                if await asyncio.to_thread(self._note_fault, job_id, index) >= FAULT_LIMIT:
                    raise

    async def _answer(self, job: Job, decoded: dict[int, DecodedUpload]) -> list[Outcome]:
        batch = {index % job.batch_size: upload for index, upload in decoded.items()}
        try:
            bodies = await self._bodies(job, batch)
        except InvalidRequestError as error:  # of all of them: masks or thresholds that this bundle does not have
            return [Outcome(index, failure=Failure.of(error)) for index in decoded]
        return [Outcome(index, answer=bodies[index % job.batch_size]) for index in decoded]

    async def _bodies(self, job: Job, batch: dict[int, DecodedUpload]) -> dict[int, dict[str, Any]]:
        model = self.engine.model
        if job.task is Task.ANOMALY_MAP:
            wanted = AnomalyOptions.from_json(job.options)
            maps = await self.engine.map_batch(batch, job.batch_size, wanted, self._on_progress)
            return await asyncio.to_thread(
                lambda: {place: _body(AnomalyResponse.of(found, model, "")) for place, found in maps.items()}
            )
        options = PredictOptions.from_json(job.options)
        model = model.with_thresholds(options.thresholds)
        with_pngs = options.saliency is Saliency.HEATMAPS
        predictions = await self.engine.predict_batch(batch, job.batch_size, options, self._on_progress)
        return await asyncio.to_thread(
            lambda: {
                place: _body(PredictResponse.of(prediction, model, "", with_pngs=with_pngs))
                for place, prediction in predictions.items()
            }
        )


def _body(response: PredictResponse | AnomalyResponse) -> dict[str, Any]:
    return response.model_dump(mode="json", exclude=_PER_REQUEST)
