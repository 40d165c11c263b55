"""A Parquet table on its way to a client: written whole, sent in blocks, and nowhere to be found afterwards."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.api.job_formats import MEDIA_TYPES, Column, ResultFormat, Row, write_parquet
from service.jobs.disk import write_error

_BLOCK_BYTES = 256 * 1024


def write_table(rows: Iterable[Row], table: Sequence[Column], folder: Path | None) -> BinaryIO:
    """A file without a name, for names of patients' files stand in it; blocking.

    Args:
        folder: on whose disk it lies; None for the system's temporary one.

    Raises:
        OutOfStorageError, StoreUnavailableError: it cannot be written.
        FileNotFoundError: rows were purged while they were read.
    """
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 the response closes it
    except OSError as error:
        raise write_error(error) from error
    try:
        _fill(file, rows, table)
    except BaseException:
        with suppress(OSError):  # what a full disk did not take is not wanted any more
            file.close()
        raise
    return file


class TableResponse(StreamingResponse):
    """All of the file, whatever range is asked for; it is closed at the end, also where the client has gone before."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        headers = {"Content-Length": str(num_bytes), "Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(_blocks(file), media_type=MEDIA_TYPES[ResultFormat.PARQUET], headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _fill(file: BinaryIO, rows: Iterable[Row], table: Sequence[Column]) -> None:
    try:
        write_parquet(rows, table, file)
        file.flush()
    except FileNotFoundError:
        raise  # by the rows, not by the table
    except OSError as error:
        raise write_error(error) from error


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block
