"""`batch` over a ledger in memory: what it does when the store or the reconciler fails it."""

import argparse
from pathlib import Path
from unittest.mock import Mock

import pytest

from models.errors import InvalidRequestError, StoreUnavailableError
from service.api.job_schema import JobForm
from service.commands.batch import _Batch, write_results
from service.jobs.build import JobParts
from service.jobs.folder_store import FolderStore
from service.jobs.job import Job, Task
from service.jobs.store_owner import OWNER_FILE, ForeignStoreError, UnclaimedStoreError, claim_store
from tests.service.jobs.memory_ledger import MemoryLedger


@pytest.fixture(name="batch")
def _batch(settings, tmp_path):
    """A run of the command over a folder with one file."""
    (tmp_path / "a.png").write_bytes(b"pixels")
    options = argparse.Namespace(folder=tmp_path, out=Path("rows.jsonl"), fresh=False)
    parts = JobParts(MemoryLedger(), Mock(), FolderStore(tmp_path / "store"), Mock(), Mock(), "test")
    return _Batch(options, JobForm.read({}), settings.model_copy(update={"data_dir": tmp_path / "data"}), parts)


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), PermissionError("one folder")])
def test_batch__follows_its_job_when_a_round_of_the_reconciler_fails(batch, error):
    """Workers have reconcilers too; the job may end all the same."""
    ledger = batch._parts.ledger
    ledger.create(Job("one", Task.PREDICT, 1, 1, 1.0))

    def tick() -> None:
        ledger.cancel("one", 2.0)
        raise error

    batch._parts.reconciler.tick = tick

    assert batch._follow("one").is_over


def test_batch__does_not_wait_for_a_job_whose_store_is_out_of_sight(batch, tmp_path):
    """Begun before, and now the share is not mounted: no worker could go on with it."""
    files = [tmp_path / "a.png"]
    begun = batch._find_or_submit(files)
    assert begun == batch._find_or_submit(files)
    (tmp_path / "store" / OWNER_FILE).unlink()
    with pytest.raises(UnclaimedStoreError, match="mounted"):
        batch._find_or_submit(files)


def test_batch__takes_nothing_in_for_a_store_that_is_another_ledgers(batch, tmp_path):
    """An archive is not copied first, to be told so after hours."""
    claim_store(MemoryLedger(), batch._parts.store)
    with pytest.raises(ForeignStoreError):
        batch._find_or_submit([tmp_path / "a.png"])

    assert not (tmp_path / "data" / "scratch").exists()


def test_write_results__says_that_the_job_is_kept_where_there_is_no_room(batch, tmp_path):
    """Whatever the disk says; nothing half written is left."""
    batch._parts.ledger.create(Job("one", Task.PREDICT, 1, 1, 1.0))
    out = tmp_path / "gone" / "rows.jsonl"
    with pytest.raises(InvalidRequestError, match=r"rows\.jsonl was not written .*; the same command tries again"):
        write_results(batch._parts, "one", batch._model, out)
