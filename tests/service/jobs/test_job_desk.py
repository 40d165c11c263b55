"""Jobs that are taken in at the same time: none keeps the others from being asked about."""

import asyncio
import threading
import time

import pytest

from models.errors import OverloadedError, StoreUnavailableError
from service.api.job_desk import JobDesk
from service.jobs.errors import ExpiredJobError, LedgerAwayError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import IntakeLimits, Question
from service.jobs.job import Job, Task
from service.jobs.memory_ledger import MemoryLedger
from service.jobs.memory_queue import MemoryQueue
from service.jobs.reconciler import Reconciler, Retention


class AwayStore(FolderStore):
    """A store that writes and removes nothing while it is away."""

    is_away = False

    def create(self, name: str):
        if self.is_away:
            raise StoreUnavailableError("the upload store cannot be written")
        return super().create(name)

    def delete(self, folder: str) -> bool:
        if self.is_away:
            raise StoreUnavailableError("the upload store cannot be cleared")
        return super().delete(folder)


@pytest.fixture(name="ledger")
def _ledger():
    return MemoryLedger()


@pytest.fixture(name="desk")
def _desk(ledger, tmp_path):
    store = AwayStore(tmp_path)
    reconciler = Reconciler(ledger, MemoryQueue(), store, Retention(0, 0), "test", time.time)
    desk = JobDesk(ledger, store, reconciler, IntakeLimits(), time.time)
    yield desk
    desk.close()


def test_job_desk__tells_of_jobs_while_files_are_unpacked(desk, ledger):
    """Unpacking takes as long as an archive is large; more of it than there are threads waits, and nobody else does."""
    ledger.create(Job("one", Task.PREDICT, 1, 8, 1.0))
    unpacked = threading.Event()

    async def ask_meanwhile():
        work = [asyncio.create_task(desk.run(unpacked.wait)) for _ in range(16)]
        try:
            await asyncio.sleep(0)
            return await asyncio.wait_for(desk.status("one"), 5)
        finally:
            unpacked.set()
            await asyncio.gather(*work)

    assert 1 == asyncio.run(ask_meanwhile()).job.total


class AwayLedger(MemoryLedger):
    """Its Redis goes away, and comes back."""

    is_away = False

    def status(self, job_id: str):
        if self.is_away:
            raise LedgerAwayError("the job store does not answer")
        return super().status(job_id)


class TestAway:
    @pytest.fixture(name="ledger")
    def _ledger(self):
        return AwayLedger()

    def test_while_redis_is_away_calls_fail_at_once(self, desk, ledger):
        """For a second nobody asks it again."""
        ledger.create(Job("one", Task.PREDICT, 1, 8, 1.0))
        ledger.is_away = True
        with pytest.raises(StoreUnavailableError):
            asyncio.run(desk.status("one"))
        ledger.is_away = False

        with pytest.raises(StoreUnavailableError):
            asyncio.run(desk.status("one"))

    def test_files_that_cannot_be_written_say_nothing_of_redis(self, desk, ledger):
        """A job that cannot be taken in keeps no other from being asked about."""
        ledger.create(Job("one", Task.PREDICT, 1, 8, 1.0))

        async def take_in():
            async with desk.intake() as intake:
                intake.put("a", b"content")
                desk.store.is_away = True
                await desk.commit(intake, Question(Task.PREDICT, 8), None)

        with pytest.raises(StoreUnavailableError):
            asyncio.run(take_in())
        assert 1 == asyncio.run(desk.status("one")).job.total


class TestDelete:
    def test_what_an_earlier_call_could_not_remove_goes_with_the_next(self, desk, ledger, tmp_path):
        """Though the ledger has forgotten the job by then; a third call finds nothing, and says that it is gone."""
        ledger.create(Job("one", Task.PREDICT, 1, 8, 1.0))
        (tmp_path / "jobs/one").mkdir(parents=True)
        desk.store.is_away = True
        with pytest.raises(StoreUnavailableError):
            asyncio.run(desk.delete("one"))
        desk.store.is_away = False
        asyncio.run(desk.delete("one"))

        assert [] == list((tmp_path / "jobs").iterdir())
        with pytest.raises(ExpiredJobError):
            asyncio.run(desk.delete("one"))


class TestIntakes:
    def test_one_too_many_is_refused_at_once(self, desk):
        """A client may come back; one that has ended makes room."""

        async def take_in(number):
            if number:
                async with desk.intake():
                    await take_in(number - 1)

        asyncio.run(take_in(64))
        with pytest.raises(OverloadedError):
            asyncio.run(take_in(65))
        asyncio.run(take_in(64))

    def test_what_fails_leaves_nothing(self, desk, tmp_path):
        """Whatever ended it."""

        async def fail():
            async with desk.intake() as intake:
                intake.begin_file()
                intake.write(b"content")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            asyncio.run(fail())
        assert [] == list((tmp_path / "jobs").iterdir())
