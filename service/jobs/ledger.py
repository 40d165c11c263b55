"""The ledger: who works on what until when, and what is final. The one truth that API and workers agree on.

An item is pending, leased or final. Work is handed out by the chunk: a chunk is *due* (nobody has it), *offered* (a
message is on its way), or *leased* (a worker has it until a time, and renews). A final item never changes again.
Everything may therefore be delivered twice, late or never: doing it again is harmless, and what is overdue is offered
anew.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.jobs.job import Chunk, Job, JobStatus, Lane, Segment

OFFER_S = 20.0  # an offer that no worker took by then is made again; a duplicate costs one look at the ledger
LOSS_LIMIT = 5  # workers lost over one item alone before it is given up
FAULT_LIMIT = 2  # decoder processes lost over one item before it is given up
TOMBSTONE_S = 30 * 86400  # how long a purged job is remembered as such


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key as the ledger keeps it: hashes alone, for the key may say anything.

    Attributes:
        key: hash of the client's key.
        body: hash of all that was asked with it.
    """

    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Items that were final before the job began, and the segment that says why."""

    segment: str
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A chunk that a message is to be sent about."""

    job_id: str
    chunk: Chunk


class Ledger(Protocol):
    """Every method is atomic, may be repeated, and raises `LedgerAwayError`, soon, where Redis is away.

    Leases and offers run by the ledger's own clock: those of its callers, on several machines, differ. Other times are
    the caller's, in seconds since the epoch; they say what is old.
    """

    def ping(self) -> None:
        """Whether the ledger can be reached."""

    def identity(self) -> str:
        """A random name that it keeps as long as what is in it, and shares with no other."""

    def create(self, job: Job, *, refused: Refused | None = None, claim: Claim | None = None) -> str:
        """Write the job down; from here on it is accepted.

        Returns:
            Its id, or that of the job that holds the same claim already.

        Raises:
            ConflictError: the claim's key was used for another body.
        """

    def find_claim(self, claim: Claim) -> str | None:
        """The job that holds this claim; raises as `create`."""

    def job(self, job_id: str) -> Job:
        """Raises: UnknownJobError, ExpiredJobError."""

    def status(self, job_id: str) -> JobStatus:
        """Raises: UnknownJobError, ExpiredJobError."""

    def segments(self, job_id: str) -> list[Segment]:
        """Where the final rows are, in the order in which they were accepted. Raises as `status`."""

    def offer(self, lane: Lane, limit: int) -> list[Offer]:
        """Take up to `limit` overdue chunks of the lane and mark them as offered; fresh ones first.

        A chunk whose lease ran out lost its worker: it comes back as halves, so that an item that takes workers down
        is soon alone. An item that was alone `LOSS_LIMIT` times is not offered again; see `hopeless`.
        """

    def hopeless(self, limit: int) -> list[tuple[str, int]]:
        """(job, item) of up to `limit` items that every worker was lost over; they wait to be written off."""

    def lease(self, job_id: str, chunk: Chunk, owner: str, lease_s: float) -> list[int]:
        """Take a chunk; its items that are not final, or none where somebody has it, or it is done or gone."""

    def renew(self, job_id: str, chunk: Chunk, owner: str, lease_s: float) -> bool:
        """Hold a chunk longer; False where it is no longer the owner's."""

    def release(self, job_id: str, chunk: Chunk, owner: str, after_s: float) -> None:
        """Give a chunk back, without blame, to be offered again `after_s` from now."""

    def note_fault(self, job_id: str, index: int) -> int:
        """Count a decoder process lost over this item; how many that makes. `FAULT_LIMIT` where the job is gone."""

    def finish(self, job_id: str, chunk: Chunk, segment: str, outcomes: dict[int, bool]) -> Collection[int] | None:
        """Make items final whose rows stand in `segment`; True where the item failed.

        Returns:
            The items that this call made final: those that were not yet, in a job that is not cancelled. None where
            the job is gone, and its files with it.
        """

    def cancel(self, job_id: str, now: float) -> None:
        """Stop what is not final. Raises as `status`."""

    def delete(self, job_id: str) -> None:
        """Forget everything but that there was such a job. Raises as `status`."""

    def signal(self, job_id: str) -> None:
        """Wake whoever waits for this job."""

    def wait(self, job_id: str, timeout_s: float) -> bool:
        """Wait for `signal`; whether it came."""

    def finished_before(self, time: float, limit: int) -> list[str]:
        """Jobs that ended before `time`, the longest ended first."""

    def uploads_before(self, time: float, limit: int) -> list[str]:
        """Jobs that ended before `time` and may have uploads still, the longest ended first; see `forget_uploads`."""

    def forget_uploads(self, job_ids: Sequence[str]) -> None:
        """The uploads of these jobs are deleted; `uploads_before` tells of them no more."""

    def interactive_before(self, time: float, limit: int) -> list[str]:
        """Interactive jobs made before `time`, over or not, the oldest first; who asked has long stopped waiting."""

    def exists(self, job_ids: Sequence[str]) -> list[bool]:
        """Which of these jobs the ledger holds."""

    def acquire(self, name: str, owner: str, hold_s: float) -> bool:
        """Take a lock that falls open by itself, or keep it where it is the owner's already."""

    def announce(self, lane: Lane, hold_s: float) -> None:
        """A worker serves this lane, now and for so long."""

    def is_served(self, lane: Lane) -> bool:
        """Whether a worker has announced itself lately."""

    def backlog(self, lane: Lane) -> int:
        """Jobs of the lane that are not over."""
