"""An archive on disk, from its first piece until it is unpacked; it has no name there."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from service.jobs.disk import ROOM_EVERY_BYTES, require_room, write_error
from service.jobs.store import Store


class Scratch:
    """One file; used by one thread at a time.

    Args:
        store: where what is unpacked will go. Room is asked for there too, for it may be another disk.
        folder: where the file lies; None for the system's temporary one.
        reserve_bytes: of that folder's disk, kept free.

    Raises:
        StoreUnavailableError: there can be no file.
    """

    def __init__(self, store: Store, folder: Path | None, reserve_bytes: int) -> None:
        self._store = store
        self._folder = folder or Path(tempfile.gettempdir())
        self._reserve_bytes = reserve_bytes
        self._next_check = 0
        self.num_bytes = 0
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 closed in `close`
        except OSError as error:
            raise write_error(error) from error

    def write(self, piece: bytes) -> None:
        """Append. Raises OutOfStorageError, StoreUnavailableError."""
        if self.num_bytes >= self._next_check:
            self._store.require_room(ROOM_EVERY_BYTES)
            require_room(self._folder, ROOM_EVERY_BYTES, self._reserve_bytes)
            self._next_check = self.num_bytes + ROOM_EVERY_BYTES
        try:
            self._file.write(piece)
        except OSError as error:
            raise write_error(error) from error
        self.num_bytes += len(piece)

    def complete(self) -> BinaryIO:
        """The file, to be read. Raises as `write`."""
        try:
            self._file.flush()
        except OSError as error:
            raise write_error(error) from error
        return self._file

    def close(self) -> None:
        """Give the room back."""
        with suppress(OSError):  # what a full disk did not take is not wanted any more
            self._file.close()
