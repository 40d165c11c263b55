"""The upload store as a folder, here or on a shared file system."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from service.jobs.errors import OutOfStorageError


class FolderStore:
    """See `Store`. Files are for the owner alone, flushed to disk, and appear by an atomic rename."""

    def __init__(self, root: Path, *, reserve_bytes: int = 0) -> None:
        self._root = root.resolve()
        self._reserve_bytes = reserve_bytes

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """See `Store.create`."""
        path = self._path(name)
        self._make_folder(path.parent)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(draft, "wb", opener=_open_private) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OutOfStorageError("the upload store is full") from error
            raise
        finally:
            draft.unlink(missing_ok=True)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """See `Store.read`."""
        with self._path(name).open("rb") as file:
            file.seek(start)
            return file.read() if stop is None else file.read(stop - start)

    def delete(self, folder: str) -> None:
        """See `Store.delete`."""
        path = self._path(folder)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)

    def folders(self, folder: str) -> Iterator[tuple[str, float]]:
        """See `Store.folders`."""
        path = self._path(folder)
        if not path.is_dir():
            return
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                yield entry.name, entry.stat().st_mtime

    def require_room(self, num_bytes: int = 0) -> None:
        """See `Store.require_room`."""
        self._make_folder(self._root)
        if shutil.disk_usage(self._root).free - num_bytes < self._reserve_bytes:
            raise OutOfStorageError("the upload store is nearly full; finished jobs may be purged")

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


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """A rename is durable once the folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
