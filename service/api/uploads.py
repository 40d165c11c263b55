"""Reading one image out of a request body that nobody vouches for."""

import asyncio
from collections.abc import Mapping

from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import InvalidRequestError, OverloadedError, UnsupportedMediaError, UploadTooLargeError
from service.api.errors import UploadTimeoutError

# Boundaries and part headers come on top of the file whose size is limited.
MULTIPART_ALLOWANCE_BYTES = 16 * 1024
_MAX_PARTS = 8
_MAX_TEXT_BYTES = 4096

# A client that is refused in the middle of its body sees a broken connection, not the answer, unless somebody takes
# what it has already sent; but not for ever.
_DRAIN_BYTES = 64 * 2**20
_DRAIN_S = 5.0

BODY_SCHEMA: Mapping[str, object] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {"type": "string", "format": "binary", "description": "One DICOM, PNG or JPEG file."}
                },
            }
        }
    },
}


class UploadLimitMiddleware:
    """Counts the bytes of request bodies while they arrive, chunked or not, before any parser sees them.

    Args:
        limit_bytes: largest file; a body may be a little longer, for its multipart frame.
        memory_bytes: all bodies in memory together; a request that would exceed it is refused as overloaded.
        timeout_s: time for one body to arrive in full.
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int, memory_bytes: int, timeout_s: float) -> None:
        self._app = app
        self.limit_bytes = limit_bytes
        self.memory_bytes = memory_bytes
        self.timeout_s = timeout_s
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry; the body stays on the account until the response is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _MeteredBody(self, Headers(scope=scope), receive)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self.held_bytes -= body.num_bytes


class _MeteredBody:
    """The `receive` of one request, with a count, a limit and a clock."""

    def __init__(self, account: UploadLimitMiddleware, headers: Headers, receive: Receive) -> None:
        self._account = account
        self._receive = receive
        self._limit_bytes = account.limit_bytes + MULTIPART_ALLOWANCE_BYTES
        declared = headers.get("content-length", "")
        self._declared_bytes = int(declared) if declared.isdecimal() and len(declared) < 19 else None
        self._waits_for_continue = headers.get("expect", "").lower() == "100-continue"
        self._deadline: float | None = None
        self._complete = False
        self.num_bytes = 0

    async def receive(self) -> Message:
        """The next ASGI message; raises where the body is too long, too slow or one too many."""
        if self._complete:
            return await self._receive()  # what may still come is the disconnect
        if self._declared_bytes is not None and self._declared_bytes > self._limit_bytes:
            if not self._waits_for_continue:
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
        return f"the upload is larger than {self._account.limit_bytes} bytes"

    def _count(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes
        self._account.held_bytes += num_bytes

    async def _next(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._account.timeout_s
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            raise UploadTimeoutError(f"the body did not arrive within {self._account.timeout_s:g} s") from error

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


class _MemoryParser(MultiPartParser):
    """Keeps parts in memory: no patient's image in a temporary file. `UploadLimitMiddleware` bounds them."""

    spool_max_size = 0  # no roll-over to disk

    def close(self) -> None:
        """Let go of all parts, those too that a body cut short has left unfinished and out of the form."""
        for part in self._files_to_close_on_error:
            part.close()


async def read_image(request: Request) -> bytes:
    """The bytes of the one file in the multipart field `image`.

    Raises:
        UnsupportedMediaError: the body is no multipart form, or the file is empty.
        InvalidRequestError: the form is malformed, or `image` is missing, repeated or no file.
        UploadTooLargeError: more bytes than the limit.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type:
        raise InvalidRequestError("send the radiograph as the field `image` of a multipart/form-data body")
    if media_type != "multipart/form-data":
        raise UnsupportedMediaError("the request body must be multipart/form-data with the file in the field `image`")
    parser = _MemoryParser(
        request.headers,
        request.stream(),
        max_files=_MAX_PARTS,
        max_fields=_MAX_PARTS,
        max_part_size=_MAX_TEXT_BYTES,
    )
    try:
        return await _read_single((await parser.parse()).getlist("image"))
    except (MultiPartException, ValueError, LookupError) as error:
        # ValueError and LookupError: an odd `charset` or a broken part header.
        raise InvalidRequestError("the multipart body is malformed, or has too many or too long parts") from error
    finally:
        parser.close()


async def _read_single(parts: list[UploadFile | str]) -> bytes:
    if len(parts) != 1:
        raise InvalidRequestError(f"the form needs exactly one part named `image`; it has {len(parts)}")
    part = parts[0]
    if isinstance(part, str):
        raise InvalidRequestError("the field `image` must be a file: its part needs a file name")
    content = await part.read()
    if not content:
        raise UnsupportedMediaError("the file in the field `image` is empty")
    return content
