"""Frames: a JSON header and raw parts, over the stream socket of a decoder process or as the bytes of a stored answer.

No pickles: what comes back from a decoder was written by a process that has just read untrusted bytes.
"""

import json
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

_LENGTH = struct.Struct("<I")
_HEADER_LIMIT_BYTES = 64 * 1024


class BrokenWireError(Exception):
    """The other side is gone, or what it says is no frame."""


def pack_frame(header: dict[str, Any], parts: Sequence[bytes | memoryview] = ()) -> Iterator[bytes | memoryview]:
    """The pieces of a frame: `header`, which gets a member `lengths`, and the parts."""
    encoded = json.dumps({**header, "lengths": [len(part) for part in parts]}).encode()
    yield from (_LENGTH.pack(len(encoded)), encoded, *parts)


def unpack_frame(frame: bytes) -> tuple[dict[str, Any], list[memoryview]]:
    """Inverse of `pack_frame`, its pieces joined; the parts are views of it.

    Raises:
        BrokenWireError: it is no frame.
    """
    try:
        (length,) = _LENGTH.unpack_from(frame)
        position = _LENGTH.size + length
        header = json.loads(frame[_LENGTH.size : position])
        parts = []
        for part in header["lengths"]:
            parts.append(memoryview(frame)[position : position + part])
            position += part
    except (struct.error, ValueError, LookupError) as error:
        raise BrokenWireError("the answer is no frame") from error
    return header, parts


def send_frame(
    connection: socket.socket,
    header: dict[str, Any],
    parts: Sequence[bytes | memoryview] = (),
    *,
    deadline: float | None = None,
) -> None:
    """Send a frame.

    Args:
        deadline: of `time.monotonic`; None waits for ever.

    Raises:
        TimeoutError: the other side does not read in time.
        BrokenWireError: it is gone.
    """
    try:
        for piece in pack_frame(header, parts):
            _arm(connection, deadline)
            connection.sendall(piece)
    except ConnectionError as error:
        raise BrokenWireError("the other side is gone") from error


def receive_frame(
    connection: socket.socket, *, limit_bytes: int, deadline: float | None = None
) -> tuple[dict[str, Any], list[bytearray]]:
    """The next frame: its header and its parts.

    Args:
        limit_bytes: of all parts together.
        deadline: of `time.monotonic`; None waits for ever.

    Raises:
        TimeoutError: the other side does not answer in time.
        BrokenWireError: it is gone, or breaks the format or the limit.
    """
    (length,) = _LENGTH.unpack(_receive_exactly(connection, _LENGTH.size, deadline))
    if length > _HEADER_LIMIT_BYTES:
        raise BrokenWireError("the header is too long")
    try:
        header = json.loads(_receive_exactly(connection, length, deadline))
        lengths = [int(part) for part in header["lengths"]]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BrokenWireError("the header is no header") from error
    if min(lengths, default=0) < 0 or sum(lengths) > limit_bytes:
        raise BrokenWireError("the parts are too long")
    return header, [_receive_exactly(connection, part, deadline) for part in lengths]


def _receive_exactly(connection: socket.socket, num_bytes: int, deadline: float | None) -> bytearray:
    content = bytearray(num_bytes)
    view = memoryview(content)
    while view:
        _arm(connection, deadline)
        try:
            received = connection.recv_into(view)
        except ConnectionError as error:
            raise BrokenWireError("the other side is gone") from error
        if not received:
            raise BrokenWireError("the other side is gone")
        view = view[received:]
    return content


def _arm(connection: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        connection.settimeout(None)
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
