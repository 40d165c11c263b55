"""The ledger in Redis."""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from secrets import token_hex
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from service.jobs import redis_scripts as scripts
from service.jobs import retention_scripts as retention
from service.jobs.errors import ConflictError, ExpiredJobError, LedgerAwayError, UnknownJobError
from service.jobs.job import Chunk, Job, JobStatus, Lane, Segment, Task
from service.jobs.ledger import FAULT_LIMIT, LOSS_LIMIT, OFFER_S, TOMBSTONE_S, Claim, Offer, Refused

_PREFIX = "thorascope:"
_POLL_S = 1.0

T = TypeVar("T")


class RedisLedger:
    """See `Ledger`.

    Args:
        url: redis://, rediss:// or unix://.
        timeout_s: for one answer of Redis; after that it counts as away.
        clock: seconds since the epoch; None for Redis's own, which is one and the same for every process.
    """

    def __init__(self, url: str, *, timeout_s: float = 2.0, clock: Callable[[], float] | None = None) -> None:
        self._clock: Callable[[], float | str] = clock or str
        # A connection that Redis has dropped while it lay in the pool is tried once anew; every call may be repeated.
        retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=retry, decode_responses=True
        )
        self._scripts: dict[str, Any] = {}

    def ping(self) -> None:
        """See `Ledger.ping`."""
        self._ask(self._redis.ping)

    def identity(self) -> str:
        """See `Ledger.identity`."""
        name = f"{_PREFIX}identity"
        return str(self._ask(lambda: self._redis.pipeline().set(name, token_hex(16), nx=True).get(name).execute())[1])

    def unsafe_settings(self) -> list[str]:
        """What of this Redis's configuration may lose jobs; empty where it does not tell."""
        try:
            found: dict[str, str] = self._redis.config_get("appendonly", "maxmemory-policy")
        except redis.RedisError:
            return []
        wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
        return [f"{name} is {found[name]}, not {value}" for name, value in wanted.items() if found.get(name) != value]

    def create(self, job: Job, *, refused: Refused | None = None, claim: Claim | None = None) -> str:
        """See `Ledger.create`."""
        out = set(refused.indices) if refused else set()
        chunks = [str(chunk) for chunk in job.chunks() if not out.issuperset(range(chunk.start, chunk.stop))]
        spec = {"task": job.task, "options": job.options, "batch_size": job.batch_size}
        held = self._run(
            scripts.CREATE,
            job.id,
            json.dumps(spec | {"total": job.total, "lane": job.lane, "created_at": job.created_at}),
            job.lane,
            job.total,
            job.created_at,
            claim.key if claim else "",
            claim.body if claim else "",
            refused.segment if refused else "",
            json.dumps(sorted(out)),
            json.dumps(chunks),
        )
        if held == "conflict":
            raise ConflictError("this Idempotency-Key was used for another request")
        return str(held)

    def find_claim(self, claim: Claim) -> str | None:
        """See `Ledger.find_claim`."""
        held = str(self._run(scripts.FIND_CLAIM, claim.key, claim.body))
        if held == "conflict":
            raise ConflictError("this Idempotency-Key was used for another request")
        return held or None

    def job(self, job_id: str) -> Job:
        """See `Ledger.job`."""
        return self.status(job_id).job

    def status(self, job_id: str) -> JobStatus:
        """See `Ledger.status`."""
        why, *found = self._run(scripts.STATUS, job_id)
        _refuse(why)
        spec, done, failed, *times = found
        started, finished, cancelled = (float(time) if time else None for time in times)
        return JobStatus(_job(job_id, json.loads(spec)), int(done), int(failed), started, finished, cancelled)

    def segments(self, job_id: str) -> list[Segment]:
        """See `Ledger.segments`."""
        self.status(job_id)
        rows = self._ask(lambda: self._redis.lrange(f"{_PREFIX}segments:{job_id}", 0, -1))
        return [Segment(name, tuple(indices)) for name, indices in map(json.loads, rows)]

    def offer(self, lane: Lane, limit: int) -> list[Offer]:
        """See `Ledger.offer`."""
        found = self._run(scripts.OFFER, lane, limit, self._clock(), OFFER_S, LOSS_LIMIT)
        return [Offer(job_id, Chunk.parse(chunk)) for job_id, chunk in zip(found[::2], found[1::2], strict=True)]

    def hopeless(self, limit: int) -> list[tuple[str, int]]:
        """See `Ledger.hopeless`."""
        members = self._ask(lambda: self._redis.srandmember(f"{_PREFIX}hopeless", limit))
        return [(job_id, int(index)) for job_id, index in (member.split() for member in members)]

    def lease(self, job_id: str, chunk: Chunk, owner: str, lease_s: float) -> list[int]:
        """See `Ledger.lease`."""
        arguments = (job_id, str(chunk), chunk.start, chunk.stop, owner, self._clock(), lease_s)
        return [int(index) for index in self._run(scripts.LEASE, *arguments)]

    def renew(self, job_id: str, chunk: Chunk, owner: str, lease_s: float) -> bool:
        """See `Ledger.renew`."""
        return bool(self._run(scripts.RENEW, job_id, str(chunk), owner, self._clock(), lease_s, 0))

    def release(self, job_id: str, chunk: Chunk, owner: str, after_s: float) -> None:
        """See `Ledger.release`."""
        self._run(scripts.RENEW, job_id, str(chunk), owner, self._clock(), after_s, 1)

    def note_fault(self, job_id: str, index: int) -> int:
        """See `Ledger.note_fault`."""
        return int(self._run(scripts.FAULT, job_id, index, FAULT_LIMIT))

    def finish(self, job_id: str, chunk: Chunk, segment: str, outcomes: dict[int, bool]) -> tuple[int, ...] | None:
        """See `Ledger.finish`."""
        items = json.dumps([[index, int(failed)] for index, failed in sorted(outcomes.items())])
        written = self._run(scripts.FINISH, job_id, str(chunk), segment, self._clock(), items)
        return None if written == "gone" else tuple(json.loads(written))

    def cancel(self, job_id: str, now: float) -> None:
        """See `Ledger.cancel`."""
        _refuse(self._run(scripts.CANCEL, job_id, now))

    def delete(self, job_id: str) -> None:
        """See `Ledger.delete`."""
        _refuse(self._run(retention.DELETE, job_id, TOMBSTONE_S))

    def signal(self, job_id: str) -> None:
        """See `Ledger.signal`."""
        name = f"{_PREFIX}signal:{job_id}"
        self._ask(lambda: self._redis.pipeline().lpush(name, 1).expire(name, 60).execute())

    def wait(self, job_id: str, timeout_s: float) -> bool:
        """See `Ledger.wait`."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if self._ask(partial(self._redis.blpop, f"{_PREFIX}signal:{job_id}", min(left, _POLL_S))):
                return True
        return False

    def finished_before(self, time: float, limit: int) -> list[str]:
        """See `Ledger.finished_before`."""
        return self._before("finished", time, limit)

    def uploads_before(self, time: float, limit: int) -> list[str]:
        """See `Ledger.uploads_before`."""
        return self._before("uploads", time, limit)

    def forget_uploads(self, job_ids: Sequence[str]) -> None:
        """See `Ledger.forget_uploads`."""
        if job_ids:
            self._ask(lambda: self._redis.zrem(f"{_PREFIX}uploads", *job_ids))

    def interactive_before(self, time: float, limit: int) -> list[str]:
        """See `Ledger.interactive_before`."""
        return self._before("asked", time, limit)

    def exists(self, job_ids: Sequence[str]) -> list[bool]:
        """See `Ledger.exists`."""
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.exists(f"{_PREFIX}job:{job_id}")
        return [bool(found) for found in self._ask(pipeline.execute)]

    def acquire(self, name: str, owner: str, hold_s: float) -> bool:
        """See `Ledger.acquire`."""
        return bool(self._run(scripts.ACQUIRE, owner, int(hold_s * 1000), key=f"{_PREFIX}lock:{name}"))

    def announce(self, lane: Lane, hold_s: float) -> None:
        """See `Ledger.announce`."""
        self._ask(lambda: self._redis.set(f"{_PREFIX}served:{lane}", 1, px=int(hold_s * 1000)))

    def is_served(self, lane: Lane) -> bool:
        """See `Ledger.is_served`."""
        return bool(self._ask(lambda: self._redis.exists(f"{_PREFIX}served:{lane}")))

    def backlog(self, lane: Lane) -> int:
        """See `Ledger.backlog`."""
        return int(self._ask(lambda: self._redis.zcard(f"{_PREFIX}active:{lane}")))

    def waiting(self, queue: str) -> int:
        """Messages in a queue of the broker that no worker has taken."""
        return int(self._ask(lambda: self._redis.llen(queue)))

    def _before(self, kind: str, time: float, limit: int) -> list[str]:
        name = f"{_PREFIX}{kind}"
        return list(self._ask(lambda: self._redis.zrangebyscore(name, "-inf", f"({time}", start=0, num=limit)))

    def _run(self, source: str, *arguments: object, key: str = _PREFIX) -> Any:  # noqa: ANN401 what Lua returns
        if source not in self._scripts:
            self._scripts[source] = self._redis.register_script(source)
        script = self._scripts[source]
        return self._ask(lambda: script(keys=[key], args=arguments))

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except (redis.RedisError, OSError) as error:
            raise LedgerAwayError("the job store does not answer") from error


def _job(job_id: str, spec: dict[str, Any]) -> Job:
    spec = spec | {"task": Task(spec["task"]), "lane": Lane(spec["lane"])}
    return Job(id=job_id, **spec)


def _refuse(why: str) -> None:
    if why == "gone":
        raise ExpiredJobError("this job was purged, with all its files")
    if why:
        raise UnknownJobError("there is no job of this id")
