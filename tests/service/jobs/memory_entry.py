"""One job in the ledger in memory."""

from collections import defaultdict
from dataclasses import dataclass, field

from service.jobs.job import Chunk, Job, JobStatus, Segment
from service.jobs.ledger import Claim


@dataclass(slots=True)
class Entry:
    """One job; `chunks` says when each becomes overdue, `owners` who leases it."""

    job: Job
    failed_by_final: dict[int, bool] = field(default_factory=dict)
    chunks: dict[Chunk, float] = field(default_factory=dict)
    owners: dict[Chunk, str] = field(default_factory=dict)
    losses: defaultdict[Chunk, int] = field(default_factory=lambda: defaultdict(int))
    faults: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    segments: list[Segment] = field(default_factory=list)
    started_at: float | None = None
    finished_at: float | None = None
    cancelled_at: float | None = None
    claim: Claim | None = None
    may_have_uploads: bool = True

    def status(self) -> JobStatus:
        """How far it is."""
        final = self.failed_by_final
        times = (self.started_at, self.finished_at, self.cancelled_at)
        return JobStatus(self.job, len(final), sum(final.values()), *times)

    def open_items(self, chunk: Chunk) -> list[int]:
        """Those of the chunk's items that are not final."""
        return [index for index in range(chunk.start, chunk.stop) if index not in self.failed_by_final]

    def close(self, now: float) -> None:
        """The job is over."""
        self.finished_at = now
        self.chunks.clear()
        self.owners.clear()
