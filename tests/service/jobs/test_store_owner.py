"""A store belongs to one ledger, and no other touches what lies in it."""

import threading

import pytest

from models.errors import StoreUnavailableError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import Intake, IntakeLimits, Question
from service.jobs.job import Task
from service.jobs.remote_store import RemoteStore
from service.jobs.store_owner import (
    OWNER_FILE,
    ForeignStoreError,
    UnclaimedStoreError,
    claim_store,
    require_own_store,
)
from tests.service.jobs.memory_ledger import MemoryLedger


@pytest.fixture(name="store", params=["folder", "memory"])
def _store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path)
    return RemoteStore(f"memory://{tmp_path.name}")


@pytest.fixture(name="ledger")
def _ledger():
    return MemoryLedger()


def commit(ledger, store, job_id):
    """A job with one file."""
    intake = Intake(store, IntakeLimits(), job_id)
    intake.put("a.png", b"pixels")
    return intake.commit(ledger, Question(Task.PREDICT, 1), None, 1.0)


class TestStore:
    def test_it_belongs_to_the_ledger_of_its_first_job(self, ledger, store):
        """From before that job is accepted."""
        with pytest.raises(UnclaimedStoreError):
            require_own_store(ledger, store)
        commit(ledger, store, "one")

        require_own_store(ledger, store)
        with pytest.raises(ForeignStoreError):
            require_own_store(MemoryLedger(), store)

    def test_it_takes_no_job_of_another_ledger(self, ledger, store):
        """Whose workers would not see the jobs of the first, and would sweep them up."""
        commit(ledger, store, "one")
        other = MemoryLedger()
        with pytest.raises(ForeignStoreError, match="delete"):
            commit(other, store, "two")

        assert [False] == other.exists(["two"])
        require_own_store(ledger, store)

    @pytest.mark.parametrize("ends", [False, True])
    def test_a_share_that_is_not_mounted_takes_no_job(self, ledger, store, tmp_path, ends):
        """The ledger has jobs, so their store has an owner: an empty folder is not that store."""
        commit(ledger, store, "one")
        if ends:
            ledger.cancel("one", 2.0)
        with pytest.raises(UnclaimedStoreError, match=ledger.identity()):
            commit(ledger, FolderStore(tmp_path / "empty"), "two")

        assert [False] == ledger.exists(["two"])
        assert not (tmp_path / "empty" / OWNER_FILE).exists()

    def test_an_operator_may_give_it_to_another_ledger(self, ledger, tmp_path):
        """As the message says, where the first is lost: by deleting one file."""
        store, other = FolderStore(tmp_path), MemoryLedger()
        commit(ledger, store, "one")
        (tmp_path / OWNER_FILE).unlink()
        commit(other, store, "two")

        require_own_store(other, store)

    def test_an_operator_may_write_its_owner(self, ledger, tmp_path):
        """With an editor that ends files with a line break."""
        (tmp_path / OWNER_FILE).write_text(ledger.identity() + "\n")

        require_own_store(ledger, FolderStore(tmp_path))

    def test_first_jobs_may_come_at_once(self, ledger, tmp_path):
        """All of one ledger: none is in the other's way."""
        store, ready, failures = FolderStore(tmp_path), threading.Barrier(8), []

        def claim() -> None:
            ready.wait()
            try:
                claim_store(ledger, store)
            except StoreUnavailableError as error:
                failures.append(error)

        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [] == failures
        assert [OWNER_FILE] == [path.name for path in tmp_path.iterdir()]
