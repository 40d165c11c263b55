"""The final rows of a job, in the order of submission, without having them all in memory."""

import heapq
from collections.abc import Iterator
from itertools import groupby

from service.jobs.job import Segment
from service.jobs.ledger import Ledger
from service.jobs.outcome import Outcome
from service.jobs.packs import job_folder, read_names
from service.jobs.store import Store


def read_rows(ledger: Ledger, store: Store, job_id: str) -> Iterator[tuple[str, Outcome]]:
    """(file name, outcome) of every final item; of an unfinished job, those that are final now.

    Raises:
        UnknownJobError, ExpiredJobError: before the first row.
    """
    segments = ledger.segments(job_id)
    return _rows(store, job_id, segments)


def _rows(store: Store, job_id: str, segments: list[Segment]) -> Iterator[tuple[str, Outcome]]:
    names = enumerate(read_names(store, job_id))
    for outcome in _in_order(store, job_id, segments):
        name = next(name for index, name in names if index == outcome.index)
        yield name, outcome


def _in_order(store: Store, job_id: str, segments: list[Segment]) -> Iterator[Outcome]:
    """Merge segments by index. Few overlap, and one is read when its first row is due, so few are open at once."""
    waiting = sorted((segment for segment in segments if segment.indices), key=lambda segment: segment.indices[0])
    open_rows: list[tuple[int, int, Outcome]] = []
    for first, group in groupby(waiting, key=lambda segment: segment.indices[0]):
        while open_rows and open_rows[0][0] < first:
            yield heapq.heappop(open_rows)[2]
        for segment in group:
            for outcome in read_segment(store, job_id, segment):
                heapq.heappush(open_rows, (outcome.index, len(open_rows), outcome))
    while open_rows:
        yield heapq.heappop(open_rows)[2]


def read_segment(store: Store, job_id: str, segment: Segment) -> list[Outcome]:
    """Those rows of a segment that the ledger accepted."""
    accepted = frozenset(segment.indices)
    content = store.read(f"{job_folder(job_id)}/rows/{segment.name}")
    return [outcome for outcome in map(Outcome.from_line, content.splitlines()) if outcome.index in accepted]
