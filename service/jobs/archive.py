"""Reading zip archives that nobody vouches for: nothing is extracted to a path, and nothing is read without a bound."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from models.errors import InvalidRequestError, UploadTooLargeError

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_MAX_COMMENT = 2**16
_DIRECTORY_BYTES_PER_FILE = 512  # more than 46 bytes and a long path; bounds what opening the archive takes
_BLOCK_BYTES = 2**20
# Archivers' own leftovers, nobody's radiographs.
_NOISE = ("__MACOSX/",)


def is_zip(start: bytes) -> bool:
    """By its first four bytes."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06")


class Archive:
    """One zip archive.

    Args:
        limit_files: entries, folders included.

    Raises:
        InvalidRequestError: it cannot be read.
        UploadTooLargeError: it has too many entries. Told before its directory is read into memory.
    """

    def __init__(self, file: BinaryIO, *, limit_files: int) -> None:
        entries, directory_bytes = _end_of(file)
        if entries > limit_files:
            raise UploadTooLargeError(f"the archive has {entries} entries; a job takes {limit_files} files")
        if directory_bytes > _DIRECTORY_BYTES_PER_FILE * (limit_files + 1):
            raise UploadTooLargeError("the archive's directory is larger than its entries can need")
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise InvalidRequestError("the archive is damaged, or no zip archive") from error

    def entries(self) -> Iterator["Entry"]:
        """Files in the order of the archive's directory; folders are passed over."""
        for info in self._zip.infolist():
            if not info.is_dir() and not info.filename.startswith(_NOISE):
                yield Entry(self._zip, info)


class Entry:
    """One file in an archive.

    Attributes:
        name: as the archive has it; it may be anything, and leads nowhere.
    """

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._info = info
        self.name = info.filename

    def pieces(self) -> Iterator[bytes]:
        """Its content, decompressed, a piece at a time; the caller counts.

        Raises:
            InvalidRequestError: it is encrypted, damaged, compressed in an unknown way, or its name leads out of the
                archive.
        """
        path = PurePosixPath(self.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
            raise InvalidRequestError("the entry's name leads out of the archive")
        try:
            with self._archive.open(self._info) as file:
                while piece := file.read(_BLOCK_BYTES):
                    yield piece
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, zlib.error) as error:
            raise InvalidRequestError("the entry is damaged, encrypted, or compressed in an unknown way") from error


def _end_of(file: BinaryIO) -> tuple[int, int]:
    """(entries, bytes of the directory) as the end of the archive states them; `zipfile` would read it all to tell."""
    size = file.seek(0, 2)
    start = max(0, size - _END.size - _MAX_COMMENT)
    file.seek(start)
    tail = file.read()
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or len(tail) - position < _END.size:
        raise InvalidRequestError("the archive is cut short, or no zip archive")
    _, _, _, _, entries, length, _, _ = _END.unpack_from(tail, position)
    where = start + position - _LOCATOR_64.size
    if (entries == 0xFFFF or length == 0xFFFFFFFF) and where >= 0:
        file.seek(where)
        signature, _, offset, _ = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
        if signature == b"PK\x06\x07":
            file.seek(min(offset, size))
            record = file.read(_END_64.size)
            if len(record) == _END_64.size:
                *_, entries, length, _ = _END_64.unpack(record)
    return entries, length
