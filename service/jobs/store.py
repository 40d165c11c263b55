"""Where uploads and result rows lie: a folder, or any address that fsspec knows. Names are ours, never a client's."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from service.jobs.folder_store import FolderStore
from service.jobs.remote_store import RemoteStore


class Store(Protocol):
    """Files by name; a file is there in full or not at all.

    Names are relative, with `/` between their parts. Raises `OutOfStorageError` where there is no room, and
    `StoreUnavailableError` where the store is away.
    """

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to; it appears under its name, durably, when the context ends without an exception."""

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """A part of a file, half-open; all of it by default. Raises FileNotFoundError."""

    def delete(self, folder: str) -> bool:
        """Remove a folder with all that is in it; whether there was one. What stays raises."""

    def folders(self, folder: str) -> Iterator[str]:
        """Names of the folders in a folder, those that other processes made too."""

    def last_write(self, folder: str) -> float:
        """When the newest file below a folder was written, in seconds since the epoch; infinite where nothing tells."""

    def require_room(self, num_bytes: int = 0) -> None:
        """Raise `OutOfStorageError` where that many bytes more would go over the watermark."""


def open_store(address: str, *, reserve_bytes: int) -> Store:
    """The store at a path or a URL such as s3://bucket/prefix.

    Args:
        reserve_bytes: of the disk, kept free; a store elsewhere looks after its own room.
    """
    return RemoteStore(address) if "://" in address else FolderStore(Path(address), reserve_bytes=reserve_bytes)
