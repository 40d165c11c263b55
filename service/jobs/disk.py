"""What a disk says, in our words: how much room it has, and why it did not write."""

import errno
import shutil
from pathlib import Path

from models.errors import StoreUnavailableError
from service.jobs.errors import OutOfStorageError

ROOM_EVERY_BYTES = 16 * 2**20  # who writes much asks for so much room at a time


def require_room(folder: Path, num_bytes: int, reserve_bytes: int) -> None:
    """See that so many bytes more leave the reserve of the folder's disk untouched.

    Raises:
        OutOfStorageError: they would not.
        StoreUnavailableError: there is no telling.
    """
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise write_error(error) from error
    if free_bytes - num_bytes < reserve_bytes:
        raise OutOfStorageError("the disk is nearly full; finished jobs may be purged")


def write_error(error: OSError) -> OutOfStorageError | StoreUnavailableError:
    """What it means that something could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutOfStorageError("the upload store is full")
    return StoreUnavailableError("the upload store cannot be written")


def data_folder_error(folder: Path, error: OSError) -> StoreUnavailableError:
    """The same of the data folder, or of a folder of ours in it; the words are for the operator."""
    why = error.strerror or error
    return StoreUnavailableError(f"{folder} cannot be written to: {why}; THORASCOPE_DATA_DIR names another")
