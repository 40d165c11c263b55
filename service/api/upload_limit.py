"""A bound on request bodies: their bytes, their time, and the memory of all of them together."""

import asyncio
import time
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import OverloadedError, UploadTooLargeError
from service.api.errors import UploadTimeoutError

# Boundaries and part headers come on top of the file whose size is limited.
MULTIPART_ALLOWANCE_BYTES = 16 * 1024
_STREAM_ALLOWANCE_BYTES = 64 * 2**20  # of a hundred thousand parts

# Of a stream: a client that is slower for long holds a place that another could have.
_LEAST_BYTES_PER_S = 16 * 1024

# A client that is refused in the middle of its body sees a broken connection, not the answer, unless somebody takes
# what it has already sent; but not for ever.
_DRAIN_BYTES = 64 * 2**20
_DRAIN_S = 5.0


class UploadLimitMiddleware:
    """Counts the bytes of request bodies while they arrive, chunked or not, before any parser sees them.

    Args:
        limit_bytes: largest file; a body may be a little longer, for its multipart frame.
        memory_bytes: all bodies in memory together; a request that would exceed it is refused as overloaded.
        timeout_s: time for one body to arrive in full.
        streams: paths whose bodies go to disk as they arrive, and their limits in bytes. They take no memory, and may
            take long: `timeout_s` for each piece, and for all of them so much beyond the time of a slow line. What the
            service does with a piece takes none of it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_bytes: int,
        memory_bytes: int,
        timeout_s: float,
        streams: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self.limit_bytes = limit_bytes
        self.memory_bytes = memory_bytes
        self.timeout_s = timeout_s
        self.streams = streams or {}
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry; the body stays on the account until the response is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _MeteredBody(self, Headers(scope=scope), receive, self.streams.get(scope.get("path", "")))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and body.is_withheld:
                # It may never come: what comes next on this connection could be it, or another request.
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self._app(scope, body.receive, answer)
        finally:
            self.held_bytes -= body.held_bytes


class _MeteredBody:
    """The `receive` of one request, with a count, a limit and a clock."""

    def __init__(
        self, account: UploadLimitMiddleware, headers: Headers, receive: Receive, stream_limit_bytes: int | None
    ) -> None:
        self._account = account
        self._receive = receive
        self._is_stream = stream_limit_bytes is not None
        # A stream's own reader counts its files; this here bounds what comes around them, too.
        allowance = _STREAM_ALLOWANCE_BYTES if self._is_stream else MULTIPART_ALLOWANCE_BYTES
        self._limit_bytes = (stream_limit_bytes or account.limit_bytes) + allowance
        declared = headers.get("content-length", "")
        self._declared_bytes = int(declared) if declared.isdecimal() and len(declared) < 19 else None
        # Whether the client keeps the body until it is asked to send it, and has not been.
        self.is_withheld = headers.get("expect", "").lower() == "100-continue"
        self._left_s = account.timeout_s
        self._complete = False
        self.num_bytes = self.held_bytes = 0

    async def receive(self) -> Message:
        """The next ASGI message; raises where the body is too long, too slow or one too many."""
        if self._complete:
            return await self._receive()  # what may still come is the disconnect
        if self._declared_bytes is not None and self._declared_bytes > self._limit_bytes:
            if not self.is_withheld:
                await self._drain()
            raise UploadTooLargeError(self._too_large)
        message = await self._next()
        if message["type"] != "http.request":
            return message
        self._complete = not message.get("more_body", False)
        self._count(len(message.get("body", b"")))
        if self.num_bytes > self._limit_bytes:
            await self._drain()
            raise UploadTooLargeError(self._too_large)
        if self._account.held_bytes > self._account.memory_bytes:
            await self._drain()
            raise OverloadedError("the uploads in progress fill the memory set aside for them")
        return message

    @property
    def _too_large(self) -> str:
        limit = self._limit_bytes - (_STREAM_ALLOWANCE_BYTES if self._is_stream else MULTIPART_ALLOWANCE_BYTES)
        return f"the upload is larger than {limit} bytes"

    @property
    def _too_slow(self) -> str:
        limit = f"{self._account.timeout_s:g} s"
        return f"the body pauses for {limit}, or is too slow" if self._is_stream else f"the body took more than {limit}"

    def _count(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes
        if self._is_stream:
            self._left_s += num_bytes / _LEAST_BYTES_PER_S
        else:
            self.held_bytes += num_bytes
            self._account.held_bytes += num_bytes

    async def _next(self) -> Message:
        """What comes next, in the time that is left; a client that is ahead of it may still not pause for longer."""
        started = time.monotonic()
        self.is_withheld = False
        try:
            async with asyncio.timeout(min(self._left_s, self._account.timeout_s)):
                return await self._receive()
        except TimeoutError as error:
            raise UploadTimeoutError(self._too_slow) from error
        finally:
            self._left_s -= time.monotonic() - started

    async def _drain(self) -> None:
        """Take what the client has sent already, keeping none of it."""
        left = _DRAIN_BYTES
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self._complete and left > 0:
                    message = await self._receive()
                    self._complete = not message.get("more_body", False)
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return
