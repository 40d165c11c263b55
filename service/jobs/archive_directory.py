"""The directory at the end of a zip archive, looked over before `zipfile` reads all of it into memory.

An archive says in several places how long its directory is and how many entries it has, and they need not agree. What
counts here is what `zipfile` goes by: a zip64 record wherever a locator points to one, and the records themselves.
"""

import struct
from typing import BinaryIO

from models.errors import InvalidRequestError, UploadTooLargeError

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_LENGTHS = struct.Struct("<3H")  # of name, extra field and comment, which follow a record
_LENGTHS_AT = 28
_RECORD_BYTES = 46
_MAX_COMMENT = 2**16
_BYTES_PER_FILE = 512  # more than a record and a long path; bounds what opening the archive takes


def check_directory(file: BinaryIO, limit_files: int) -> None:
    """See that opening the archive takes no more than `limit_files` entries may take.

    Raises:
        InvalidRequestError: the archive is cut short, damaged or none.
        UploadTooLargeError: it has too many entries, or a directory longer than they can need.
    """
    position, entries, length = _find_end(file)
    if entries > limit_files:
        raise UploadTooLargeError(f"the archive has {entries} entries; a job takes {limit_files} files")
    if length > _BYTES_PER_FILE * (limit_files + 1):
        raise UploadTooLargeError("the archive's directory is larger than its entries can need")
    if length > position:
        raise InvalidRequestError("the archive is damaged, or no zip archive")
    file.seek(position - length)
    _count_records(file, length, limit_files)


def _count_records(file: BinaryIO, length: int, limit_files: int) -> None:
    """Walk the records, for the number at the end is only a claim."""
    num_bytes = num_records = 0
    while num_bytes < length:
        record = file.read(_RECORD_BYTES)
        if len(record) < _RECORD_BYTES or not record.startswith(b"PK\x01\x02"):
            raise InvalidRequestError("the archive is damaged, or no zip archive")
        num_records += 1
        if num_records > limit_files:
            raise UploadTooLargeError(f"the archive has more than {limit_files} entries; a job takes no more files")
        rest = sum(_LENGTHS.unpack_from(record, _LENGTHS_AT))
        num_bytes += _RECORD_BYTES + len(file.read(rest))


def _find_end(file: BinaryIO) -> tuple[int, int, int]:
    """(where the directory ends, entries, bytes), the last two as the archive states them."""
    size = file.seek(0, 2)
    start = max(0, size - _END.size - _MAX_COMMENT)
    file.seek(start)
    tail = file.read()
    found = len(tail) - _END.size
    if found < 0 or not (tail.startswith(b"PK\x05\x06", found) and tail.endswith(b"\0\0")):
        found = tail.rfind(b"PK\x05\x06")  # a comment follows
    if found < 0 or len(tail) - found < _END.size:
        raise InvalidRequestError("the archive is cut short, or no zip archive")
    _, _, _, _, entries, length, _, _ = _END.unpack_from(tail, found)
    position = start + found
    return _find_end_64(file, position) or (position, entries, length)


def _find_end_64(file: BinaryIO, end: int) -> tuple[int, int, int] | None:
    """The same from the zip64 record; None where no locator lies before the end.

    Some versions of `zipfile` follow the locator and others take what lies before it; where these differ the archive is
    refused, so that all read what was counted.
    """
    where = end - _LOCATOR_64.size
    if where < 0:
        return None
    file.seek(where)
    signature, disk, offset, disks = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
    if signature != b"PK\x06\x07":
        return None
    position = where - _END_64.size
    if offset != position or disk != 0 or disks > 1:
        raise InvalidRequestError("the archive is damaged: its zip64 record is not where it should be")
    file.seek(position)
    signature, _, _, _, _, _, _, entries, length, _ = _END_64.unpack(file.read(_END_64.size))
    if signature != b"PK\x06\x06":
        raise InvalidRequestError("the archive is damaged: it has no zip64 record where it should be")
    return position, entries, length
