"""Protobuf's wire format, as far as ONNX files need it; the `onnx` package is not installed where models are served.

Source: https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from models.errors import InvalidBundleError

Value: TypeAlias = int | memoryview

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_FIELD_NUMBER: Final = 2**29 - 1  # C++ readers drop the bits above, and would see another field than this one
_MAX_VARINT_BYTES: Final = 10


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        value: an unsigned number, or the bytes of a string, a message, a packed array or a fixed-width number.
        raw: the field as it stands, tag included.
    """

    number: int
    value: Value
    raw: memoryview

    @property
    def content(self) -> memoryview:
        """`value` where it must not be a number; InvalidBundleError where it is."""
        if isinstance(self.value, int):
            raise InvalidBundleError(f"not the protobuf it should be: field {self.number} is a number")
        return self.value


def fields(message: memoryview) -> Iterator[Field]:
    """Fields of one message in the order of the file.

    Raises:
        InvalidBundleError: not well-formed, or with the long-deprecated groups.
    """
    position, end = 0, len(message)
    while position < end:
        start = position
        tag, position = _varint(message, position)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number <= _MAX_FIELD_NUMBER:
            raise InvalidBundleError(f"not a protobuf: field number {number}")
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield Field(number, value, message[start:position])
            continue
        if wire == _BYTES:
            length, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise InvalidBundleError(f"not a protobuf: wire type {wire}")
        if length > end - position:
            raise InvalidBundleError("not a protobuf: a field reaches beyond its message")
        yield Field(number, message[position : position + length], message[start : position + length])
        position += length


def integers(value: Value) -> Iterator[int]:
    """A repeated integer field, packed or not; negative numbers come as two's complement of 64 bits."""
    if isinstance(value, int):
        yield value
        return
    position = 0
    while position < len(value):
        number, position = _varint(value, position)
        yield number


def message_field(number: int, content: bytes) -> bytes:
    """One length-delimited field, tag included."""
    return _encoded_varint(number << 3 | _BYTES) + _encoded_varint(len(content)) + content


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """(value, position after it) of one base-128 number."""
    value = 0
    for shift, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value & (2**64 - 1), position + shift + 1
    raise InvalidBundleError("not a protobuf: unfinished number")


def _encoded_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
