"""The ledger in memory: the plain statement of what the Redis scripts do."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from secrets import token_hex

from service.jobs.errors import ConflictError, ExpiredJobError, UnknownJobError
from service.jobs.job import Chunk, Job, JobStatus, Lane, Segment
from service.jobs.ledger import FAULT_LIMIT, LOSS_LIMIT, OFFER_S, Claim, Offer, Refused
from tests.service.jobs.memory_entry import Entry


class MemoryLedger:
    """See `Ledger`. One process, many threads.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._identity = token_hex(16)
        self._lock = threading.Condition(threading.RLock())
        self._entries: dict[str, Entry] = {}
        self._gone: set[str] = set()
        self._hopeless: set[tuple[str, int]] = set()
        self._signals: set[str] = set()
        self._served_until: dict[Lane, float] = {}

    def ping(self) -> None:
        """Memory is always there."""

    def identity(self) -> str:
        """See `Ledger.identity`."""
        return self._identity

    def create(self, job: Job, *, refused: Refused | None = None, claim: Claim | None = None) -> str:
        """See `Ledger.create`."""
        with self._lock:
            if claim and (held := self.find_claim(claim)):
                return held
            if job.id in self._entries:
                return job.id
            entry = self._entries[job.id] = Entry(job, claim=claim)
            if refused and refused.indices:
                entry.failed_by_final = dict.fromkeys(refused.indices, True)
                entry.segments.append(Segment(refused.segment, tuple(sorted(refused.indices))))
            if len(entry.failed_by_final) == job.total:
                entry.close(job.created_at)
                return job.id
            for chunk in job.chunks():
                if entry.open_items(chunk):
                    entry.chunks[chunk] = 0.0
            return job.id

    def find_claim(self, claim: Claim) -> str | None:
        """See `Ledger.find_claim`."""
        with self._lock:
            for job_id, entry in self._entries.items():
                if entry.claim and entry.claim.key == claim.key:
                    if entry.claim.body != claim.body:
                        raise ConflictError("this Idempotency-Key was used for another request")
                    return job_id
            return None

    def job(self, job_id: str) -> Job:
        """See `Ledger.job`."""
        return self._find(job_id).job

    def status(self, job_id: str) -> JobStatus:
        """See `Ledger.status`."""
        with self._lock:
            return self._find(job_id).status()

    def segments(self, job_id: str) -> list[Segment]:
        """See `Ledger.segments`."""
        return list(self._find(job_id).segments)

    def offer(self, lane: Lane, limit: int) -> list[Offer]:
        """See `Ledger.offer`."""
        with self._lock:
            now = self._clock()
            active = [entry for entry in self._entries.values() if entry.job.lane is lane and entry.finished_at is None]
            share = max(1, -(-limit // max(1, len(active))))
            offers: list[Offer] = []
            for entry in active:
                due = sorted((at, str(chunk), chunk) for chunk, at in entry.chunks.items() if at <= now)
                for _, _, chunk in due[: max(0, min(share, limit - len(offers)))]:
                    for part in self._parts(entry, chunk):
                        entry.chunks[part] = now + OFFER_S
                        offers.append(Offer(entry.job.id, part))
            return offers

    def hopeless(self, limit: int) -> list[tuple[str, int]]:
        """See `Ledger.hopeless`."""
        with self._lock:
            return sorted(self._hopeless)[:limit]

    def lease(self, job_id: str, chunk: Chunk, owner: str, lease_s: float) -> list[int]:
        """See `Ledger.lease`."""
        with self._lock:
            entry = self._entries.get(job_id)
            if entry is None or chunk not in entry.chunks or entry.owners.get(chunk, owner) != owner:
                return []
            if not (left := entry.open_items(chunk)):
                del entry.chunks[chunk]
                return []
            now = self._clock()
            entry.chunks[chunk], entry.owners[chunk] = now + lease_s, owner
            entry.started_at = now if entry.started_at is None else entry.started_at
            return left

    def renew(self, job_id: str, chunk: Chunk, owner: str, lease_s: float) -> bool:
        """See `Ledger.renew`."""
        with self._lock:
            entry = self._entries.get(job_id)
            if entry is None or entry.owners.get(chunk) != owner:
                return False
            entry.chunks[chunk] = self._clock() + lease_s
            return True

    def release(self, job_id: str, chunk: Chunk, owner: str, after_s: float) -> None:
        """See `Ledger.release`."""
        with self._lock:
            if self.renew(job_id, chunk, owner, after_s):
                del self._entries[job_id].owners[chunk]

    def note_fault(self, job_id: str, index: int) -> int:
        """See `Ledger.note_fault`."""
        with self._lock:
            if (entry := self._entries.get(job_id)) is None:
                return FAULT_LIMIT
            entry.faults[index] += 1
            return entry.faults[index]

    def finish(self, job_id: str, chunk: Chunk, segment: str, outcomes: dict[int, bool]) -> tuple[int, ...] | None:
        """See `Ledger.finish`."""
        with self._lock:
            self._hopeless -= {(job_id, index) for index in outcomes}
            entry = self._entries.get(job_id)
            if entry is None:
                return None
            if entry.cancelled_at is not None:
                return ()
            accepted = {index: outcomes[index] for index in sorted(outcomes) if index not in entry.failed_by_final}
            entry.failed_by_final |= accepted
            if accepted:
                entry.segments.append(Segment(segment, tuple(accepted)))
            entry.chunks.pop(chunk, None)
            entry.owners.pop(chunk, None)
            if accepted and len(entry.failed_by_final) == entry.job.total:
                entry.close(self._clock())
            return tuple(accepted)

    def cancel(self, job_id: str, now: float) -> None:
        """See `Ledger.cancel`."""
        with self._lock:
            entry = self._find(job_id)
            if entry.finished_at is None:
                entry.cancelled_at = now
                entry.close(now)

    def delete(self, job_id: str) -> None:
        """See `Ledger.delete`."""
        with self._lock:
            self._find(job_id)
            del self._entries[job_id]
            self._gone.add(job_id)

    def signal(self, job_id: str) -> None:
        """See `Ledger.signal`."""
        with self._lock:
            self._signals.add(job_id)
            self._lock.notify_all()

    def wait(self, job_id: str, timeout_s: float) -> bool:
        """See `Ledger.wait`."""
        with self._lock:
            came = self._lock.wait_for(lambda: job_id in self._signals, timeout_s)
            self._signals.discard(job_id)
            return came

    def finished_before(self, time: float, limit: int) -> list[str]:
        """See `Ledger.finished_before`."""
        with self._lock:
            return self._ended_before(time)[:limit]

    def uploads_before(self, time: float, limit: int) -> list[str]:
        """See `Ledger.uploads_before`."""
        with self._lock:
            return [job_id for job_id in self._ended_before(time) if self._entries[job_id].may_have_uploads][:limit]

    def forget_uploads(self, job_ids: Sequence[str]) -> None:
        """See `Ledger.forget_uploads`."""
        with self._lock:
            for job_id in job_ids:
                if job_id in self._entries:
                    self._entries[job_id].may_have_uploads = False

    def interactive_before(self, time: float, limit: int) -> list[str]:
        """See `Ledger.interactive_before`."""
        with self._lock:
            jobs = (entry.job for entry in self._entries.values() if entry.job.lane is Lane.INTERACTIVE)
            return [name for at, name in sorted((job.created_at, job.id) for job in jobs) if at < time][:limit]

    def exists(self, job_ids: Sequence[str]) -> list[bool]:
        """See `Ledger.exists`."""
        return [job_id in self._entries for job_id in job_ids]

    def acquire(self, name: str, owner: str, hold_s: float) -> bool:
        """One process has nobody to lock out."""
        return True

    def announce(self, lane: Lane, hold_s: float) -> None:
        """See `Ledger.announce`."""
        self._served_until[lane] = self._clock() + hold_s

    def is_served(self, lane: Lane) -> bool:
        """See `Ledger.is_served`."""
        return self._clock() < self._served_until.get(lane, 0.0)

    def backlog(self, lane: Lane) -> int:
        """See `Ledger.backlog`."""
        with self._lock:
            return sum(entry.job.lane is lane and entry.finished_at is None for entry in self._entries.values())

    def _find(self, job_id: str) -> Entry:
        if job_id in self._gone:
            raise ExpiredJobError("this job was purged, with all its files")
        if job_id not in self._entries:
            raise UnknownJobError("there is no job of this id")
        return self._entries[job_id]

    def _ended_before(self, time: float) -> list[str]:
        ended = ((entry.finished_at, job_id) for job_id, entry in self._entries.items())
        return [job_id for at, job_id in sorted((at, name) for at, name in ended if at is not None) if at < time]

    def _parts(self, entry: Entry, chunk: Chunk) -> tuple[Chunk, ...]:
        """What an overdue chunk is offered as: itself, or halves where its worker was lost; nothing when hopeless."""
        if entry.owners.pop(chunk, None) is None:
            return (chunk,)
        if len(chunk) > 1:
            del entry.chunks[chunk]
            return chunk.halves()
        entry.losses[chunk] += 1
        if entry.losses[chunk] >= LOSS_LIMIT:
            self._hopeless.add((entry.job.id, chunk.start))
            entry.chunks[chunk] = math.inf
            return ()
        return (chunk,)
