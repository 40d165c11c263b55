"""The middle of a chunk's way, between lease and ledger: read, score, write the rows."""

import secrets

from service.jobs.intake import write_segment
from service.jobs.job import Chunk, Job
from service.jobs.outcome import Outcome
from service.jobs.packs import read_uploads
from service.jobs.store import Store
from service.worker.scorer import Scorer


async def score_chunk(
    scorer: Scorer, store: Store, job: Job, chunk: Chunk, items: frozenset[int]
) -> tuple[list[Outcome], str]:
    """Answer the items of a chunk that are still open.

    Returns:
        Their outcomes, and the segment in which they stand; the ledger decides which of them count.

    Raises:
        FileNotFoundError: the job's uploads are gone.
        StoreUnavailableError, OutOfStorageError: the rows could not be written.
    """
    uploads = ((index, content) for index, content in read_uploads(store, job.id, chunk) if index in items)
    outcomes = await scorer.score(job, uploads)
    segment = new_segment(chunk)
    write_segment(store, job.id, segment, outcomes)
    return outcomes, segment


def new_segment(chunk: Chunk) -> str:
    """A name that no other attempt has."""
    return f"{chunk}-{secrets.token_hex(4)}"
