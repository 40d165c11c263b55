"""The files that `batch` scores: which they are, and how each is taken in."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from models.errors import InvalidRequestError
from service.commands.files import unwritable
from service.jobs.archive import is_leftover
from service.jobs.intake import Intake

_PIECE_BYTES = 2**20


def draft_of(out: Path) -> Path:
    """Where the results lie until they are complete."""
    return out.with_name(f".{out.name}.part")


def find_files(folder: Path, out: Path) -> list[Path]:
    """All files in a folder and its subfolders, sorted, but for leftovers and our own results that lie among them.

    Raises:
        InvalidRequestError: there are none, or no such folder.
    """
    _require_folder(folder)
    own = (out, draft_of(out))
    names, places = {path.name for path in own}, {path.resolve() for path in own}
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not is_leftover(path.relative_to(folder).as_posix())
        and not (path.name in names and path.resolve() in places)
    ]
    if not files:
        raise InvalidRequestError(f"{folder} holds no files")
    return files


def require_writable(out: Path) -> None:
    """See that results can be written there, before all the work. Raises InvalidRequestError."""
    try:
        if out.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise unwritable(out, error) from error


def take_file(intake: Intake, name: str, path: Path) -> None:
    """Take one file in; one that cannot be read, or an archive that is none, is refused by itself.

    Raises:
        UploadTooLargeError, OutOfStorageError, StoreUnavailableError: of the job as a whole.
    """
    intake.begin_file()
    try:
        for piece in _pieces(path):
            intake.write(piece)
        intake.end_file(name)
    except InvalidRequestError as error:
        intake.refuse(name, error)


def _require_folder(folder: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except FileNotFoundError as error:
        raise InvalidRequestError(f"there is no folder {folder}") from error
    except OSError as error:
        raise InvalidRequestError(f"{folder}: {error.strerror or 'cannot be read'}") from error
    if not is_folder:
        raise InvalidRequestError(f"{folder} is a file: give the folder it lies in, or score it with `predict`")


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise InvalidRequestError("the file cannot be read") from error
