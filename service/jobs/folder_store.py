"""The upload store as a folder, here or on a shared file system."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from models.errors import StoreUnavailableError
from service.jobs.disk import require_room, write_error

_DELETE_TRIES = 5


class FolderStore:
    """See `Store`. Files are for the owner alone, flushed to disk, and appear by an atomic rename."""

    def __init__(self, root: Path, *, reserve_bytes: int = 0) -> None:
        self._root = root.resolve()
        self._reserve_bytes = reserve_bytes

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """See `Store.create`."""
        path = self._path(name)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self._make_folder(path.parent)
            with open(draft, "wb", opener=_open_private) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise write_error(error) from error
        finally:
            with suppress(OSError):
                draft.unlink()

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """See `Store.read`."""
        try:
            with self._path(name).open("rb") as file:
                file.seek(start)
                return file.read() if stop is None else file.read(stop - start)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be read") from error

    def delete(self, folder: str) -> bool:
        """See `Store.delete`. A process that removes the same, or still writes into it, is no obstacle."""
        path = self._path(folder)
        try:
            if not path.is_dir():
                return False
            if not any(_is_removed(path) for _ in range(_DELETE_TRIES)):
                raise StoreUnavailableError("the upload store is written to while it is cleared")
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be cleared") from error
        return True

    def folders(self, folder: str) -> Iterator[str]:
        """See `Store.folders`."""
        try:
            with os.scandir(self._path(folder)) as entries:
                yield from [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be read") from error

    def last_write(self, folder: str) -> float:
        """See `Store.last_write`; the folders count too, for one may be empty."""
        try:
            return max((_changed_at(path) for path in _tree(self._path(folder))), default=float("inf"))
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be read") from error

    def require_room(self, num_bytes: int = 0) -> None:
        """See `Store.require_room`."""
        try:
            self._make_folder(self._root)
        except OSError as error:
            raise write_error(error) from error
        require_room(self._root, num_bytes, self._reserve_bytes)

    def _path(self, name: str) -> Path:
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise ValueError("a name that leads out of the store")
        return path

    def _make_folder(self, folder: Path) -> None:
        missing = [level for level in (folder, *folder.parents) if not level.exists()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for level in missing:
            _sync_folder(level.parent)


def _tree(folder: Path) -> Iterator[Path]:
    """A folder and all that is in it, but for what is removed meanwhile."""

    def skip_missing(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for at, _, files in os.walk(folder, onerror=skip_missing):
        yield from (Path(at), *(Path(at, name) for name in files))


def _changed_at(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_removed(path: Path) -> bool:
    """Remove a folder; False where a file came into it meanwhile, or somebody else has removed a part of it."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return not path.exists()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """A rename is durable once the folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
