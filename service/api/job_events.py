"""Progress of a job as server-sent events (HTML Living Standard, 9.2)."""

import asyncio
from collections.abc import AsyncIterator

from models.errors import StoreUnavailableError
from service.api.job_desk import JobDesk
from service.api.job_schema import JobBody
from service.jobs.errors import ExpiredJobError
from service.jobs.job import JobStatus

_LOOK_EVERY_S = 0.5
_SIGN_OF_LIFE_S = 15.0  # proxies close what is silent for long


async def job_events(desk: JobDesk, status: JobStatus) -> AsyncIterator[bytes]:
    """`progress` whenever something became final, `end` when the job is over, `gone` where it was deleted meanwhile.

    Ends too when the service stops; a client comes back by itself, to whatever is there then.
    """
    yield _event("progress", status)
    silent_s = 0.0
    while not status.is_over and not desk.closing.is_set():
        await asyncio.sleep(_LOOK_EVERY_S)
        silent_s += _LOOK_EVERY_S
        try:
            now = await desk.status(status.job.id)
        except StoreUnavailableError:
            now = status  # back soon
        except ExpiredJobError:
            yield b"event: gone\ndata: {}\n\n"
            return
        if (now.done, now.state) != (status.done, status.state):
            yield _event("progress", now)
            silent_s = 0.0
        elif silent_s >= _SIGN_OF_LIFE_S:
            yield b": waiting\n\n"
            silent_s = 0.0
        status = now
    if status.is_over:
        yield _event("end", status)


def _event(name: str, status: JobStatus) -> bytes:
    return f"event: {name}\ndata: {JobBody.of(status).model_dump_json()}\n\n".encode()
