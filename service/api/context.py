"""What surrounds every request: an id, a log line, and an answer even where the code fails."""

import logging
import time
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problem_table import PROBLEMS
from service.api.problems import LOG_FIELDS, problem
from service.telemetry import request_id

_log = logging.getLogger(__name__)


class RequestContextMiddleware:
    """Gives each request an id of our own making, since one from the client could carry anything into the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry; what the application raises becomes an `internal-error`, unless the response has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = uuid4().hex
        token = request_id.set(identifier)
        exchange = _Exchange(send, identifier)
        started = time.perf_counter()
        try:
            await self._app(scope, receive, exchange.send)
        except Exception:
            _log.exception("request failed")
            if exchange.status is not None:
                raise
            await problem("internal-error", PROBLEMS["internal-error"].meaning)(scope, receive, exchange.send)
        finally:
            fields = {
                "method": scope["method"] if scope["method"] in _METHODS else "other",
                "route": getattr(scope.get("route"), "path", None) or "unknown",
                "status": exchange.status,
                "ms": round((time.perf_counter() - started) * 1000, 1),
                **scope.get(LOG_FIELDS, {}),
            }
            _log.info("request", extra={"fields": fields})
            request_id.reset(token)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Exchange:
    """The `send` of one request: remembers the status and adds the headers that every response has."""

    def __init__(self, send: Send, identifier: str) -> None:
        self._send = send
        self._identifier = identifier
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._identifier
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")  # answers about patients stay in no cache
        await self._send(message)
