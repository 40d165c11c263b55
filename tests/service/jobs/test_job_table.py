"""A table that is sent leaves nothing behind: the names of patients' files stand in it."""

import asyncio
from pathlib import Path

import pyarrow as pa
import pytest

from models.errors import StoreUnavailableError
from service.api.job_table import TableResponse, write_table
from service.jobs.errors import OutOfStorageError
from tests.service.jobs.test_folder_store import needs_dev_full

TABLE = [("file", pa.string(), lambda row: row["file"])]
SCOPE = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "headers": []}


async def receive():
    return {"type": "http.disconnect"}


def test_write_table__leaves_nothing_where_it_fails(tmp_path):
    """Rows may be purged while they are read."""
    opened = []

    def rows():
        yield {"file": "Jane_Roe.png"}
        opened.extend(tmp_path.iterdir())
        raise FileNotFoundError("rows")

    with pytest.raises(FileNotFoundError):
        write_table(rows(), TABLE, tmp_path)
    assert [] == opened == list(tmp_path.iterdir())


class TestNoRoom:
    @needs_dev_full
    @pytest.mark.parametrize("num_rows", [1, 1000])
    def test_a_full_disk_is_out_of_storage(self, monkeypatch, num_rows):
        """Told at the first block or, of a small table, when it is flushed; the file is closed."""
        file = Path("/dev/full").open("w+b")  # noqa: SIM115 what is tested closes it
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_options: file)

        with pytest.raises(OutOfStorageError):
            write_table([{"file": f"{number}.png"} for number in range(num_rows)], TABLE, None)
        assert file.closed

    def test_a_folder_that_is_away_is_a_store_that_is(self, tmp_path):
        """It may come back."""
        with pytest.raises(StoreUnavailableError):
            write_table([], TABLE, tmp_path / "absent")


class TestTableResponse:
    def test_the_file_is_closed_when_all_is_sent(self, tmp_path):
        """In blocks."""
        file = write_table([{"file": "Jane_Roe.png"}], TABLE, tmp_path)
        sent = []

        async def send(message):
            sent.append(message.get("body", b""))

        asyncio.run(TableResponse(file, "one.parquet")(SCOPE, receive, send))

        content = b"".join(sent)
        assert (b"PAR1", b"PAR1") == (content[:4], content[-4:])
        assert file.closed

    def test_the_file_is_closed_when_the_client_has_gone(self, tmp_path):
        """Before the first byte, at the worst."""
        file = write_table([{"file": "Jane_Roe.png"}], TABLE, tmp_path)

        async def send(message):
            raise OSError("gone")

        with pytest.raises(Exception, match=r"^$|gone"):
            asyncio.run(TableResponse(file, "one.parquet")(SCOPE, receive, send))
        assert file.closed
