"""Structured logs without patient data.

One JSON object a line on standard error. What identifies a patient never gets in: no file name, no header value, no
query string; an exception is told by its type and its frames, never by its message, which may quote what was sent.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any, TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# Loggers whose messages were written with the rule above in mind. Of all others only the template is kept, since the
# values of foreign code come from wherever they come.
_TRUSTED = ("service", "models", "uvicorn")
# Of Celery those alone that speak when a worker starts, of the broker's address without its password and of the host.
_TRUSTED_EXACTLY = ("celery.apps.worker", "celery.worker.consumer.connection")


class JsonFormatter(logging.Formatter):
    """Renders one record as one line of JSON; `extra={"fields": {...}}` adds members."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage() if _is_trusted(record.name) else str(record.msg),
            "request_id": request_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe_exception(record.exc_info[1])
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """The chain of exceptions that led to `error`, outermost first: types and frames, no messages, no locals."""
    chain: list[dict[str, Any]] = []
    link: BaseException | None = error
    while link is not None and len(chain) < 8:
        frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(link.__traceback__)]
        chain.append({"type": type(link).__qualname__, "frames": frames[-12:]})
        link = link.__cause__ or link.__context__
    return chain


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every logger's records through `JsonFormatter` to `stream` (standard error); replaces what was set up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in ("celery.app.trace", "celery.worker.strategy"):  # two lines a message, which say nothing without values
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _is_trusted(name: str) -> bool:
    return name.partition(".")[0] in _TRUSTED or name in _TRUSTED_EXACTLY
