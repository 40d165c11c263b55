"""The upload store behind any address that fsspec knows, such as s3://bucket/prefix; the only door of fsspec."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, BinaryIO, cast

import fsspec

from models.errors import StoreUnavailableError
from service.jobs.disk import write_error

_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")  # what drivers call a file's time


class RemoteStore:
    """See `Store`. Object stores show an object when it is complete, so nothing needs renaming."""

    def __init__(self, address: str) -> None:
        self._files: Any
        try:
            self._files, self._root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            scheme = address.partition("://")[0]
            raise StoreUnavailableError(f"no driver for {scheme}:// is installed (fsspec names the package)") from error

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """See `Store.create`."""
        path = self._path(name)
        with _writing():
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            # A file of its own. `open` would add it to the transaction of the driver, which all threads share; drivers
            # must implement `_open`.
            file = self._files._open(path, "wb", autocommit=False)  # noqa: SLF001 see above
        try:
            yield cast("BinaryIO", _Draft(file))
            with _writing():
                file.close()
                file.commit()
        except BaseException:
            for leave in (file.close, file.discard):
                with suppress(Exception):
                    leave()
            raise

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """See `Store.read`."""
        with _asking("read"):
            return bytes(self._files.cat_file(self._path(name), start=start, end=stop))

    def delete(self, folder: str) -> bool:
        """See `Store.delete`."""
        try:
            with _asking("cleared"):
                self._forget_listings()
                self._files.rm(self._path(folder), recursive=True)
        except FileNotFoundError:
            return False
        return True

    def folders(self, folder: str) -> Iterator[str]:
        """See `Store.folders`."""
        try:
            with _asking("read"):
                self._forget_listings()
                entries = self._files.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry["type"] == "directory":
                yield entry["name"].rstrip("/").rpartition("/")[2]

    def last_write(self, folder: str) -> float:
        """See `Store.last_write`; object stores keep no time for a folder, but one for every file."""
        try:
            with _asking("read"):
                self._forget_listings()
                found = self._files.find(self._path(folder), withdirs=True, detail=True)
        except FileNotFoundError:
            found = {}
        times = map(_seconds, found.values())
        return max((time for time in times if time is not None), default=float("inf"))

    def require_room(self, num_bytes: int = 0) -> None:
        """An object store looks after its own room."""

    def _forget_listings(self) -> None:
        """Other processes write, too, and a driver may remember what it once saw."""
        self._files.invalidate_cache()

    def _path(self, name: str) -> str:
        if ".." in name.split("/"):
            raise ValueError("a name that leads out of the store")
        return f"{self._root.rstrip('/')}/{name}"


class _Draft(io.RawIOBase):
    """A file on its way into the store, as callers know files: what the driver raises is translated."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 a driver's
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, piece: Any, /) -> int:  # noqa: ANN401 any buffer
        with _writing():
            self._file.write(piece)
        return len(piece)


@contextmanager
def _writing() -> Iterator[None]:
    """Around a driver's calls that write."""
    try:
        yield
    except OSError as error:
        raise write_error(error) from error
    except Exception as error:  # drivers raise what the libraries under them raise: botocore's errors, say
        raise StoreUnavailableError("the upload store cannot be written") from error


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Around a driver's other calls: what is not there is said as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # as above
        raise StoreUnavailableError(f"the upload store cannot be {what}") from error


def _seconds(entry: dict[str, Any]) -> float | None:
    changed = next((entry[name] for name in _TIMES if entry.get(name)), None)
    if isinstance(changed, datetime):
        return changed.timestamp()
    return float(changed) if isinstance(changed, int | float) else None
