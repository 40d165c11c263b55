"""Reading zip archives that nobody vouches for: nothing is extracted to a path, and nothing is read without a bound."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from models.errors import InvalidRequestError
from service.jobs.archive_directory import check_directory

_BLOCK_BYTES = 2**20
# The other methods give all that a block holds at once, however much that is.
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What `zipfile` and zlib raise over bytes that were damaged, or made to harm.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
)
# What operating systems leave in folders and archives, nobody's radiographs; names in lower case.
_LEFTOVER_FOLDER = "__macosx"
_LEFTOVER_FILES = (".ds_store", "thumbs.db")


def is_zip(start: bytes) -> bool:
    """By its first four bytes."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def is_leftover(name: str) -> bool:
    """Whether a file is `.DS_Store`, `Thumbs.db` or in a folder `__MACOSX`, at any depth and in any case of letters.

    Args:
        name: its path in the archive, or in the folder that is searched.
    """
    *folders, file = name.replace("\\", "/").lower().split("/")
    return file in _LEFTOVER_FILES or _LEFTOVER_FOLDER in folders


class Archive:
    """One zip archive.

    Args:
        limit_files: entries, folders included.

    Raises:
        InvalidRequestError: it cannot be read.
        UploadTooLargeError: it has too many entries. Told before its directory is read into memory.
    """

    def __init__(self, file: BinaryIO, *, limit_files: int) -> None:
        check_directory(file, limit_files)
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise InvalidRequestError("the archive is damaged, or no zip archive") from error

    def entries(self) -> Iterator["Entry"]:
        """Files in the order of the archive's directory; folders and leftovers are passed over."""
        for info in self._zip.infolist():
            if not info.is_dir() and not is_leftover(info.filename):
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
            InvalidRequestError: it is encrypted, damaged, not compressed by deflate, or its name leads out of
                the archive.
        """
        path = PurePosixPath(self.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
            raise InvalidRequestError("the entry's name leads out of the archive")
        if self._info.compress_type not in _BOUNDED:
            raise InvalidRequestError("the entry is compressed in a way other than deflate")
        try:
            with self._archive.open(self._info) as file:
                while piece := file.read(_BLOCK_BYTES):
                    yield piece
        except _DAMAGE as error:
            raise InvalidRequestError("the entry is damaged, or encrypted") from error
