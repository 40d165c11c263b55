"""The JSON of jobs, and the form that makes one."""

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from models.errors import InvalidRequestError
from service.api.problems import problem_body
from service.api.query import GateMode, known_findings
from service.inference.answers import Saliency, ServedModel
from service.inference.schemas import Body
from service.jobs.job import JobState, JobStatus, Task
from service.jobs.outcome import Outcome


class JobForm(BaseModel):
    """What is asked of every image; the same words as in the queries of /predict and /anomaly-map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task = Task.PREDICT
    findings: str | None = None
    saliency: Saliency = Saliency.BOXES
    gate: GateMode = GateMode.ON
    thresholds: str | None = None
    masks: int | None = None
    rounds: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)

    def options(self, model: ServedModel, rounds_limit: int) -> dict[str, Any]:
        """The options of the job's task, as JSON.

        Raises:
            InvalidRequestError: the model does not know a finding or the thresholds, or cannot make the map.
        """
        if self.task is Task.PREDICT:
            findings = known_findings(self.findings, model)
            names = None if findings is None else sorted(findings)
            thresholds = model.with_thresholds(self.thresholds).manifest.thresholds.name
            return {"gate": self.gate, "findings": names, "saliency": self.saliency, "thresholds": thresholds}
        reconstructor = model.manifest.reconstructor
        if reconstructor is None:
            raise InvalidRequestError("the served bundle has no reconstructor, hence no anomaly maps")
        if self.masks is not None and self.masks not in reconstructor.masks:
            raise InvalidRequestError(f"masks must be one of {', '.join(map(str, reconstructor.masks))}")
        if self.rounds > rounds_limit:
            raise InvalidRequestError(f"rounds must lie within 1..{rounds_limit}")
        return {"gate": self.gate, "masks": self.masks, "rounds": self.rounds, "seed": self.seed}


class JobBody(Body):
    """How far a job is; `progress` is the share of its items that are final, failed ones included."""

    id: str
    state: JobState
    task: Task
    total: int
    done: int
    failed: int
    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, status: JobStatus) -> Self:
        job = status.job
        return cls(
            id=job.id,
            state=status.state,
            task=job.task,
            total=job.total,
            done=status.done,
            failed=status.failed,
            progress=status.done / job.total,
            created_at=datetime.fromtimestamp(job.created_at, UTC),
            started_at=_time(status.started_at),
            finished_at=_time(status.finished_at),
        )


def row_of(file: str, outcome: Outcome) -> dict[str, Any]:
    """One row of the results: the answer's body, or the problem that a single request would have met."""
    row: dict[str, Any] = {"index": outcome.index, "file": file}
    if (failure := outcome.failure) is None:
        return {**row, **(outcome.answer or {})}
    problem = problem_body(failure.code, failure.detail)
    if failure.reasons:
        problem["reasons"] = list(failure.reasons)
    return {**row, "problem": problem}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
