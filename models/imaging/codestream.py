"""What a compressed frame says about itself, read before any decoder allocates memory for it.

A DICOM header may promise ten rows while the frame inside promises 65 thousand: decoders believe the frame.
"""

import struct

from models.errors import UndecodableImageError

_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
_J2K_START = b"\xff\x4f\xff\x51"  # SOC, and SIZ which must follow it: ISO 15444-1, A.2
_JPEG_START = b"\xff\xd8"
_END = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_DATA = (b"\xff\xda", b"\xff\x93")  # SOS, SOD: compressed data follow
# SOF0..SOF15 without DHT, JPG and DAC (ISO 10918-1, table B.1), and SOF55 of JPEG-LS.
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})


def declared_size(frame: bytes) -> tuple[int, int, int]:
    """Rows, columns and components that a JPEG, JPEG-LS or JPEG 2000 codestream claims to hold.

    Raises:
        UndecodableImageError: it is none of them, or ends before it says.
    """
    try:
        if frame.startswith(_JPEG_START):
            return _jpeg_size(frame)
        return _j2k_size(frame, _j2k_offset(frame))
    except (struct.error, IndexError) as error:
        raise UndecodableImageError("the compressed frame ends inside its own header") from error


def has_end(frame: bytes) -> bool:
    """Whether a JPEG, JPEG-LS or JPEG 2000 codestream reaches its end marker; padding may follow it.

    Within compressed data no marker occurs (ISO 10918-1, B.1.1.5), so an end marker behind their last beginning is the
    end. A frame that was cut, with or without zeros in place of what is missing, has none.
    """
    return frame.rfind(_END) > max(map(frame.rfind, _DATA))


def _jpeg_size(frame: bytes) -> tuple[int, int, int]:
    offset = 2
    while True:
        if frame[offset] != 0xFF:
            raise UndecodableImageError("the compressed frame has bytes between its segments")
        if frame[offset + 1] == 0xFF:  # any number of fill bytes may precede a marker: ISO 10918-1, B.1.1.2
            offset += 1
            continue
        if frame[offset + 1] in _START_OF_FRAME:
            rows, columns, components = struct.unpack_from(">HHB", frame, offset + 5)
            return rows, columns, components
        (length,) = struct.unpack_from(">H", frame, offset + 2)
        if length < 2:
            raise UndecodableImageError("the compressed frame has a segment without length")
        offset += 2 + length


def _j2k_offset(frame: bytes) -> int:
    """Where the codestream starts: at once as DICOM wants it, or behind the boxes of a JP2 file."""
    if not frame.startswith(_JP2_SIGNATURE):
        return 0
    offset = 0
    while offset < len(frame):
        length, kind = struct.unpack_from(">I4s", frame, offset)
        if kind == b"jp2c":
            return offset + 8
        if length < 8:  # 0 and 1 are legal elsewhere in JP2, but keep readers that add the length here for ever
            break
        offset += length
    raise UndecodableImageError("the compressed frame is a JP2 file without codestream")


def _j2k_size(frame: bytes, offset: int) -> tuple[int, int, int]:
    if not frame.startswith(_J2K_START, offset):
        raise UndecodableImageError("the compressed frame is neither JPEG, nor JPEG-LS, nor JPEG 2000")
    right, bottom, left, top = struct.unpack_from(">IIII", frame, offset + 8)
    (components,) = struct.unpack_from(">H", frame, offset + 40)
    return bottom - top, right - left, components
