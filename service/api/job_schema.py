"""The JSON of jobs, and the form that makes one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.api.errors import Fault, InvalidParametersError
from service.api.problems import problem_body
from service.api.query import GateMode, check_map, known_findings, shown, with_thresholds
from service.inference.answers import AnomalyOptions, PredictOptions, Saliency, ServedModel
from service.inference.schemas import Body
from service.jobs.job import JobState, JobStatus, Task
from service.jobs.outcome import Outcome

_OPTIONS = {
    Task.PREDICT: ("findings", "saliency", "thresholds"),
    Task.ANOMALY_MAP: ("masks", "rounds", "seed"),
}


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

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """From the fields that were given.

        Raises:
            InvalidParametersError: a field is unknown or has no such value, or an option belongs to another task.
        """
        try:
            form = cls.model_validate(fields)
        except ValidationError as error:
            found = error.errors(include_input=False)
            faults = [Fault("form", shown(".".join(map(str, entry["loc"]))), entry["msg"]) for entry in found]
            raise InvalidParametersError(*faults) from error
        strangers = [
            Fault("form", name, f"is an option of task={task}")
            for task, names in _OPTIONS.items()
            for name in names
            if task is not form.task and name in form.model_fields_set
        ]
        if strangers:
            raise InvalidParametersError(*strangers)
        return form

    def options(self, model: ServedModel, rounds_limit: int) -> dict[str, Any]:
        """The options of the job's task, as JSON.

        Raises:
            InvalidRequestError: the model does not know a finding or the thresholds, or cannot make the map.
        """
        refuse_rejected = self.gate is GateMode.ON
        if self.task is Task.PREDICT:
            return PredictOptions(
                findings=known_findings(self.findings, model, "form"),
                saliency=self.saliency,
                refuse_rejected=refuse_rejected,
                thresholds=with_thresholds(self.thresholds, model, "form").manifest.thresholds.name,
            ).to_json()
        check_map(self.masks, self.rounds, model, rounds_limit, "form")
        return AnomalyOptions(
            masks=self.masks, rounds=self.rounds, seed=self.seed, refuse_rejected=refuse_rejected
        ).to_json()


class JobBody(Body):
    """How far a job is: `done` counts the items that are final, failed ones included; `progress` is their share."""

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
