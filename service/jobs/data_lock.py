"""One owner a data folder: who holds the lock runs the private Redis; everybody else attaches to it, or gives way."""

import fcntl
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from models.errors import ThorascopeError
from service.jobs.disk import data_folder_error


class DataFolderTakenError(ThorascopeError):
    """Another process serves this data folder. Met at start, never by a client."""

    code = "data-folder-taken"


class DataLock:
    """A lock that the kernel releases with its holder, however that ends; nothing is left to clean up.

    Attributes:
        path: of the file that is locked, which names the holder for people to read.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, data_dir: Path) -> Self:
        """Become the owner of the folder, which is made where it is missing.

        Raises:
            DataFolderTakenError: there is one; the message names its process.
            StoreUnavailableError: the folder cannot be made, or not be written to.
        """
        try:
            return cls._acquire(data_dir)
        except OSError as error:
            raise data_folder_error(data_dir, error) from error

    @classmethod
    def _acquire(cls, data_dir: Path) -> Self:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = data_dir / "owner.lock"
        with ExitStack() as on_failure:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            on_failure.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(os.read(descriptor, 1000))
                message = f"{data_dir} is in use by another thorascope ({holder}); THORASCOPE_DATA_DIR names another"
                raise DataFolderTakenError(message) from None
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps({"pid": os.getpid()}).encode())
            on_failure.pop_all()
        return cls(path, descriptor)

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._descriptor)


def _holder(content: bytes) -> str:
    try:
        return f"process {json.loads(content)['pid']}"
    except (ValueError, LookupError, TypeError):
        return "a process that is just starting"
