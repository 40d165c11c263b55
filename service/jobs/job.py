"""What a job is: a list of uploads and one question about each of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Lane(StrEnum):
    """Queues, the more urgent first: somebody waits for the one, the other is done overnight."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Task(StrEnum):
    """The question."""

    PREDICT = "predict"
    ANOMALY_MAP = "anomaly-map"


class JobState(StrEnum):
    """Where a job stands; computed from its items, never stored."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked, once and for all.

    Attributes:
        id: unguessable; the only name of the job that messages and logs carry.
        options: of the question, JSON values only.
        total: number of items; they are numbered from 0 in the order of submission.
        batch_size: items that a worker takes together. It belongs to the job, so that a second run, or another
            worker's settings, cannot change the numbers.
        created_at: seconds since the epoch.
    """

    id: str
    task: Task
    total: int
    batch_size: int
    created_at: float
    lane: Lane = Lane.BULK
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.total < 1 or self.batch_size < 1:
            raise ValueError(f"a job of {self.total} items in batches of {self.batch_size}")

    def chunks(self) -> Iterator["Chunk"]:
        """The items, cut by their index: the same job is always cut at the same places."""
        for start in range(0, self.total, self.batch_size):
            yield Chunk(start, min(start + self.batch_size, self.total))


@dataclass(frozen=True, slots=True, order=True)
class Chunk:
    """Items `start` to `stop`, half-open: what one worker takes at a time."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"no items between {self.start} and {self.stop}")

    def __str__(self) -> str:
        return f"{self.start}-{self.stop}"

    def __len__(self) -> int:
        return self.stop - self.start

    @classmethod
    def parse(cls, text: str) -> "Chunk":
        """Inverse of `str`."""
        start, _, stop = text.partition("-")
        return cls(int(start), int(stop))

    def halves(self) -> tuple["Chunk", ...]:
        """Two parts that cover it, or itself where it is a single item."""
        if len(self) == 1:
            return (self,)
        middle = (self.start + self.stop) // 2
        return Chunk(self.start, middle), Chunk(middle, self.stop)


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows that one worker wrote together, and which of them count: an item is accepted once, in one segment."""

    name: str
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job is.

    Attributes:
        done: items that are final, failed ones included.
        failed: items that are final without an answer.
        started_at, finished_at, cancelled_at: seconds since the epoch; None where it has not happened.
    """

    job: Job
    done: int
    failed: int
    started_at: float | None = None
    finished_at: float | None = None
    cancelled_at: float | None = None

    @property
    def state(self) -> JobState:
        """Computed anew each time."""
        if self.cancelled_at is not None:
            return JobState.CANCELLED
        if self.done == self.job.total:
            return JobState.DONE
        return JobState.QUEUED if self.started_at is None and not self.done else JobState.RUNNING

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in (JobState.DONE, JobState.CANCELLED)
