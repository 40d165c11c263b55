"""Progress of a job as server-sent events (HTML Living Standard, 9.2); FastAPI writes them, and keeps them alive."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent

from models.errors import StoreUnavailableError
from service.api.job_desk import JobDesk
from service.api.job_schema import JobBody
from service.jobs.errors import ExpiredJobError
from service.jobs.job import JobStatus

_LOOK_EVERY_S = 0.5


async def job_events(desk: JobDesk, status: JobStatus) -> AsyncIterator[ServerSentEvent]:
    """`progress` whenever something became final, `end` when the job is over, `gone` where it was deleted meanwhile.

    Ends too when the service stops; a client comes back by itself, to whatever is there then.
    """
    yield _event("progress", status)
    while not status.is_over and not desk.closing.is_set():
        await asyncio.sleep(_LOOK_EVERY_S)
        try:
            now = await desk.status(status.job.id)
        except StoreUnavailableError:
            continue  # back soon
        except ExpiredJobError:
            yield ServerSentEvent(event="gone", data={})
            return
        if (now.done, now.state) != (status.done, status.state):
            yield _event("progress", now)
        status = now
    if status.is_over:
        yield _event("end", status)


def _event(name: str, status: JobStatus) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=JobBody.of(status))
