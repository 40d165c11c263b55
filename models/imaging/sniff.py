"""Which format the bytes are, told from the bytes alone: names and media types of uploads are hearsay."""

import struct

from models.errors import UnsupportedMediaError
from models.imaging.radiograph import ImageFormat

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_DICOM, _DICOM_AT = b"DICM", 128

# Value representations that the first elements of a data set have (groups 0002 and 0008), with 16-bit lengths.
_SHORT_VRS = frozenset({b"AE", b"CS", b"DA", b"DT", b"IS", b"LO", b"PN", b"SH", b"TM", b"UI", b"UL", b"US"})
_FIRST_GROUPS = (0x0002, 0x0008)


def sniff(content: bytes) -> ImageFormat:
    """Name the format.

    DICOM wins over the others, for its first 128 bytes are free for anything (a TIFF header in some files). A DICOM
    file without that preamble is recognised by its first two elements.

    Raises:
        UnsupportedMediaError: neither DICOM nor PNG nor JPEG, or nothing at all.
    """
    if not content:
        raise UnsupportedMediaError("the file is empty")
    if content[_DICOM_AT : _DICOM_AT + len(_DICOM)] == _DICOM:
        return ImageFormat.DICOM
    if content.startswith(_PNG):
        return ImageFormat.PNG
    if content.startswith(_JPEG):
        return ImageFormat.JPEG
    if any(_starts_with_elements(content, byte_order) for byte_order in "<>"):
        return ImageFormat.DICOM
    raise UnsupportedMediaError("the content is neither DICOM nor PNG nor JPEG")


def _starts_with_elements(content: bytes, byte_order: str) -> bool:
    """Whether two data elements stand at the start, in ascending order, inside the content."""
    offset, previous = 0, (0, -1)
    for _ in range(2):
        if len(content) < offset + 8:
            return False
        group, element, vr = struct.unpack_from(byte_order + "HH2s", content, offset)
        is_explicit = vr in _SHORT_VRS
        if group not in _FIRST_GROUPS or (group, element) <= previous or (byte_order == ">" and not is_explicit):
            return False
        (length,) = struct.unpack_from(
            byte_order + ("H" if is_explicit else "I"), content, offset + 4 + 2 * is_explicit
        )
        previous, offset = (group, element), offset + 8 + length
        if offset > len(content):
            return False
    return True
