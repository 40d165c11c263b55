"""Jobs that are taken in at the same time: none keeps the others from being asked about."""

import asyncio
import io
import threading
import time
import zipfile

import pytest

from models.errors import OverloadedError, StoreUnavailableError
from service.api.job_desk import JobDesk
from service.jobs.errors import ExpiredJobError, LedgerAwayError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import IntakeLimits, Question
from service.jobs.job import Job, JobState, Task
from service.jobs.reconciler import Reconciler, Retention
from service.jobs.store_owner import OWNER_FILE, ForeignStoreError
from service.jobs.unpacking import Unpacking
from tests.service.jobs.memory_ledger import MemoryLedger
from tests.service.jobs.memory_queue import MemoryQueue


class AwayStore(FolderStore):
    """A store that writes and removes nothing while it is away."""

    is_away = False
    on_create = staticmethod(lambda: None)

    def create(self, name: str):
        self.on_create()
        if self.is_away:
            raise StoreUnavailableError("the upload store cannot be written")
        return super().create(name)

    def delete(self, folder: str) -> bool:
        if self.is_away:
            raise StoreUnavailableError("the upload store cannot be cleared")
        return super().delete(folder)


class FaultyQueue(MemoryQueue):
    """It fails in a way that nobody has foreseen."""

    def send(self, lane, offer):
        raise RuntimeError("unforeseen")


@pytest.fixture(name="ledger")
def _ledger():
    return MemoryLedger()


@pytest.fixture(name="queue")
def _queue():
    return MemoryQueue()


@pytest.fixture(name="desk")
def _desk(ledger, queue, tmp_path):
    store = AwayStore(tmp_path)
    reconciler = Reconciler(ledger, queue, store, Retention(0, 0), "test", time.time)
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


def test_job_desk__takes_pieces_in_while_archives_are_unpacked_and_tables_written(desk):
    """However many there are of either."""
    done = threading.Event()

    async def take_in_meanwhile():
        work = [asyncio.create_task(run(done.wait)) for run in (desk.run, desk.run_table) for _ in range(16)]
        try:
            await asyncio.sleep(0)
            await asyncio.wait_for(desk.run(desk.store.require_room), 5)
        finally:
            done.set()
            await asyncio.gather(*work)

    asyncio.run(take_in_meanwhile())


def test_job_desk__tells_of_a_foreign_store_before_the_upload(desk, tmp_path):
    """Not after gigabytes of it."""
    (tmp_path / OWNER_FILE).write_text("another ledger")

    async def take_in():
        async with desk.intake():
            pytest.fail("the upload would begin")

    with pytest.raises(ForeignStoreError):
        asyncio.run(take_in())


class TestUnpacking:
    def test_a_few_archives_are_unpacked_at_once(self):
        """More wait until one is done: the cores are for answers, too."""
        unpacking, entered = Unpacking(2), threading.Event()

        def unpack():
            with unpacking.turn():
                entered.set()

        with unpacking.turn():
            third = threading.Thread(target=unpack)
            with unpacking.turn():
                third.start()
                assert not entered.wait(0.1)
            third.join(5)
            assert entered.is_set()

    def test_closing_ends_it_in_the_middle_of_an_archive(self, desk, tmp_path):
        """The rest may be gigabytes."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("a", b"first")
            file.writestr("b", b"second")
        desk.store.on_create = desk.close

        async def take_in():
            async with desk.intake() as intake:
                intake.begin_file()
                intake.write(archive.getvalue())
                with pytest.raises(StoreUnavailableError, match="shutting down"):
                    intake.end_file("a.zip")
                intake.discard()

        asyncio.run(take_in())
        assert [] == list((tmp_path / "jobs").iterdir())


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


class TestCommit:
    """Once the ledger has a job, its client is told so: without a key, it would send the same job again."""

    @pytest.fixture(name="ledger")
    def _ledger(self):
        return AwayLedger()

    @pytest.fixture(name="queue")
    def _queue(self):
        return FaultyQueue()

    @staticmethod
    async def take_in(desk):
        async with desk.intake() as intake:
            intake.put("a", b"content")
            intake.put("b", b"content")
            return await desk.commit(intake, Question(Task.PREDICT, 8), None)

    def test_whatever_sending_its_chunks_raises(self, desk, ledger, caplog):
        """The log has it; the reconciler sends them later."""
        status = asyncio.run(self.take_in(desk))

        assert (2, 0) == (status.job.total, status.done)
        assert status == ledger.status(status.job.id)
        assert "waits for the reconciler" in caplog.text

    def test_where_its_ledger_goes_away_just_then(self, desk, ledger):
        """By what is known of it."""
        ledger.is_away = True
        status = asyncio.run(self.take_in(desk))
        ledger.is_away = False

        assert (2, 0, JobState.QUEUED) == (status.job.total, status.done, status.state)
        assert status.job == ledger.job(status.job.id)


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
