"""Jobs: many images, one question, answered by workers; see docs/interface.md."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from models.errors import StoreUnavailableError
from service.api.job_desk import JobDesk
from service.api.job_events import job_events
from service.api.job_formats import MEDIA_TYPES, ResultFormat, Row, columns, to_csv, to_jsonl
from service.api.job_schema import JobBody, JobForm, row_of
from service.api.job_table import TableResponse, write_table
from service.api.job_uploads import JOB_BODY_SCHEMA, JobBodyReader
from service.api.negotiation import choose
from service.api.problem_docs import problem_responses
from service.api.query import check_query, query_of
from service.api.routes import ReadyEngine
from service.jobs.errors import ConflictError
from service.jobs.intake import Intake, Question
from service.jobs.job import JobStatus
from service.jobs.results import read_rows

_POLL_AFTER_S = 2
_JOB_PROBLEMS = ("unknown-job", "expired-job", "store-unavailable", "invalid-request")
_NO_QUERY = [Depends(query_of())]
_FORMAT_BY_TYPE = {media_type.partition(";")[0]: name for name, media_type in MEDIA_TYPES.items()}

router = APIRouter(tags=["jobs"])


def get_desk(request: Request) -> JobDesk:
    """The desk of this application.

    Raises:
        StoreUnavailableError: it has none: no Redis was configured, and none could be started.
    """
    desk: JobDesk | None = request.app.state.jobs
    if desk is None:
        raise StoreUnavailableError("this service runs without a job store; its log says why")
    return desk


Desk = Annotated[JobDesk, Depends(get_desk)]


async def known_status(job_id: str, desk: Desk, response: Response) -> JobStatus:
    """Asked before a stream begins: afterwards there is no other answer. Raises as `JobDesk.status`."""
    response.headers["Cache-Control"] = "no-store"  # beside `no-cache`, which streams of events have of themselves
    return await desk.status(job_id)


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobBody,
    responses=problem_responses(
        "conflict",
        "invalid-request",
        "unsupported-media",
        "upload-too-large",
        "upload-timeout",
        "out-of-storage",
        "overloaded",
        "store-unavailable",
        "not-ready",
    ),
    openapi_extra={"requestBody": JOB_BODY_SCHEMA},
)
async def create_job(
    request: Request,
    desk: Desk,
    engine: ReadyEngine,
    key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)] = None,
) -> Response:
    """Take a job in. Once it is answered with 202, every image in it will have a row, whatever dies in between."""
    async with desk.intake() as intake:
        reader = await _read_body(request, desk, intake)
        check_query(request, (), JobForm.model_fields)
        form = JobForm.read(reader.fields)
        settings = request.app.state.settings
        options = form.options(engine.model, settings.rounds_limit)
        question = Question(form.task, settings.batch_size_of(form.task), options=options)
        status = await desk.commit(intake, question, key)
    return _answer(status, 202, {"Location": f"/v1/jobs/{status.job.id}"})


@router.get(
    "/jobs/{job_id}", response_model=JobBody, responses=problem_responses(*_JOB_PROBLEMS), dependencies=_NO_QUERY
)
async def job_status(job_id: str, desk: Desk) -> Response:
    """How far the job is."""
    return _answer(await desk.status(job_id), 200)


@router.get(
    "/jobs/{job_id}/results",
    response_class=StreamingResponse,
    responses={
        200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}},
        **problem_responses(*_JOB_PROBLEMS, "conflict", "out-of-storage", "not-acceptable", "not-ready"),
    },
    dependencies=[Depends(query_of("format"))],
)
async def job_results(
    request: Request,
    job_id: str,
    desk: Desk,
    engine: ReadyEngine,
    wanted: Annotated[
        ResultFormat | None, Query(alias="format", description="Default: what `Accept` likes best, else jsonl.")
    ] = None,
) -> Response:
    """A row an item, in the order of submission; of a job that is not over, the rows that are final."""
    wanted = wanted or _accepted(request)
    status = await desk.status(job_id)
    media_type = MEDIA_TYPES[wanted]
    found = await desk.ask(lambda: read_rows(desk.ledger, desk.store, job_id))
    rows: Iterator[Row] = (row_of(file, outcome) for file, outcome in found)
    if wanted is ResultFormat.JSONL:
        return StreamingResponse(to_jsonl(rows), media_type=media_type)
    table = columns(status.job.task, engine.model)
    if wanted is ResultFormat.CSV:
        return StreamingResponse(to_csv(rows, table), media_type=media_type)
    if not status.is_over:
        raise ConflictError("the job is not over; a Parquet file is written once, at its end")
    try:
        file = await desk.run_table(partial(write_table, rows, table, desk.scratch))
    except FileNotFoundError as error:
        await desk.status(job_id)  # purged while it was read, says who knows
        raise StoreUnavailableError("the rows cannot be read now") from error
    return TableResponse(file, f"{job_id}.parquet")


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=problem_responses(*_JOB_PROBLEMS),
    dependencies=_NO_QUERY,
)
async def events(desk: Desk, status: Annotated[JobStatus, Depends(known_status)]) -> AsyncIterator[ServerSentEvent]:
    """Progress as server-sent events until the job is over: `progress`, at last `end`, each with the job as JSON."""
    async for event in job_events(desk, status):
        yield event


@router.post(
    "/jobs/{job_id}/cancel", response_model=JobBody, responses=problem_responses(*_JOB_PROBLEMS), dependencies=_NO_QUERY
)
async def cancel_job(job_id: str, desk: Desk) -> Response:
    """Stop what is not done; rows that are final stay. A job that is over stays as it is."""
    return _answer(await desk.cancel(job_id), 200)


@router.delete("/jobs/{job_id}", status_code=204, responses=problem_responses(*_JOB_PROBLEMS), dependencies=_NO_QUERY)
async def delete_job(job_id: str, desk: Desk) -> Response:
    """Cancel the job and purge all of it."""
    await desk.delete(job_id)
    return Response(status_code=204)


async def _read_body(request: Request, desk: JobDesk, intake: Intake) -> JobBodyReader:
    reader = JobBodyReader(request, intake)
    async for piece in request.stream():
        if piece:
            await desk.run(partial(reader.feed, piece))
    reader.close()
    return reader


def _accepted(request: Request) -> ResultFormat:
    """The format that the `Accept` header likes best. Raises NotAcceptableError."""
    return _FORMAT_BY_TYPE[choose(",".join(request.headers.getlist("accept")), tuple(_FORMAT_BY_TYPE))]


def _answer(status: JobStatus, code: int, headers: dict[str, str] | None = None) -> Response:
    wait = {} if status.is_over else {"Retry-After": str(_POLL_AFTER_S)}
    body = JobBody.of(status).model_dump_json()
    return Response(body, code, media_type="application/json", headers={**wait, **(headers or {})})
