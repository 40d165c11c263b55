"""Deflated Explicit VR Little Endian: inflating a data set without letting it grow past a limit.

pydicom inflates such a file in one go, to whatever size its bytes ask for.
"""

import struct
import zlib

from models.errors import ImageTooLargeError, UndecodableImageError

_PREFIX_END = 132
_GROUP_LENGTH = struct.Struct("<HH2sHI")  # (0002,0000) UL: PS3.10, 7.1, always explicit VR little endian
_DEFLATED_UID = b"1.2.840.10008.1.2.1.99"
_PLAIN_UID = b"1.2.840.10008.1.2.1".ljust(len(_DEFLATED_UID), b"\0")


def is_deflated(content: bytes) -> bool:
    """Whether the file's meta information names the deflated transfer syntax."""
    return _DEFLATED_UID in content[: _meta_end(content)]


def hides_deflation(content: bytes) -> bool:
    """Whether a file has the deflated syntax's UID anywhere; asked of one that `is_deflated` does not recognise.

    Its meta information may be without its length, or with a wrong one: pydicom would find the UID, and inflate without
    a limit. No radiograph has reason to name that UID elsewhere.
    """
    return _DEFLATED_UID in content


def inflate(content: bytes, *, limit_bytes: int) -> bytes:
    """The same file, its data set inflated and its transfer syntax named Explicit VR Little Endian.

    Raises:
        ImageTooLargeError: the data set is larger than `limit_bytes`.
        UndecodableImageError: the deflated bytes are damaged or cut.
    """
    end = _meta_end(content)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        dataset = inflater.decompress(content[end:], limit_bytes)
    except zlib.error as error:
        raise UndecodableImageError("the deflated data set is damaged") from error
    if not inflater.eof:
        if len(dataset) >= limit_bytes:
            raise ImageTooLargeError(f"the deflated data set is larger than {limit_bytes} bytes")
        raise UndecodableImageError("the deflated data set is cut")
    return content[:end].replace(_DEFLATED_UID, _PLAIN_UID) + dataset


def _meta_end(content: bytes) -> int:
    """Offset of the first byte behind the file meta information; 0 where it has none, or no group length."""
    start = _PREFIX_END if content[_PREFIX_END - 4 : _PREFIX_END] == b"DICM" else 0
    header = content[start : start + _GROUP_LENGTH.size]
    if len(header) < _GROUP_LENGTH.size:
        return 0
    group, element, vr, _, length = _GROUP_LENGTH.unpack(header)
    return start + _GROUP_LENGTH.size + length if (group, element, vr) == (2, 0, b"UL") else 0
