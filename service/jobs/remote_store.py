"""The upload store behind any address that fsspec knows, such as s3://bucket/prefix; the only door of fsspec."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, BinaryIO, cast

import fsspec

from models.errors import StoreUnavailableError


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
        try:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            with self._draft(path) as file:
                yield cast("BinaryIO", file)
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be written") from error

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """See `Store.read`."""
        try:
            return bytes(self._files.cat_file(self._path(name), start=start, end=stop))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be read") from error

    def delete(self, folder: str) -> bool:
        """See `Store.delete`."""
        try:
            self._files.rm(self._path(folder), recursive=True)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be written") from error
        return True

    def folders(self, folder: str) -> Iterator[tuple[str, float]]:
        """See `Store.folders`; object stores keep no time for a folder, which then counts as new."""
        try:
            entries = self._files.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreUnavailableError("the upload store cannot be read") from error
        for entry in entries:
            if entry["type"] == "directory":
                yield entry["name"].rstrip("/").rpartition("/")[2], _seconds(entry)

    def require_room(self, num_bytes: int = 0) -> None:
        """An object store looks after its own room."""

    @contextmanager
    def _draft(self, path: str) -> Iterator[Any]:
        """A file of its own. `open` would add it to the transaction of the driver, which all threads share."""
        file = self._files._open(path, "wb", autocommit=False)  # noqa: SLF001 see above; drivers must implement it
        try:
            with file:
                yield file
            file.commit()
        except BaseException:
            with suppress(Exception):
                file.discard()
            raise

    def _path(self, name: str) -> str:
        if ".." in name.split("/"):
            raise ValueError("a name that leads out of the store")
        return f"{self._root.rstrip('/')}/{name}"


def _seconds(entry: dict[str, Any]) -> float:
    changed = entry.get("LastModified") or entry.get("created") or entry.get("mtime")
    if isinstance(changed, datetime):
        return changed.timestamp()
    return float(changed) if isinstance(changed, int | float) else float("inf")
