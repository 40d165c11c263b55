"""A worker that does not find what a message is about: nothing is lost over it, and nothing is blamed."""

import asyncio
import time
from concurrent.futures import Future
from unittest.mock import Mock

import pytest

from models.errors import StoreUnavailableError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import Intake, IntakeLimits, Question
from service.jobs.job import Lane, Task
from service.jobs.ledger import LOSS_LIMIT
from service.jobs.packs import job_folder
from service.jobs.store_owner import OWNER_FILE, claim_store
from service.worker.pulse import Pulse, PulseLimits
from service.worker.runner import Holder, Runner
from service.worker.scorer import Scorer
from tests.service.jobs.memory_ledger import MemoryLedger

LEASE_S = 10.0
PAUSE_S = 0.05


class AwayStore(FolderStore):
    """A store whose uploads cannot be read for now."""

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        if name != OWNER_FILE:
            raise StoreUnavailableError("the upload store cannot be read")
        return super().read(name, start, stop)


class Bench:
    """One job of one item, accepted into a store; `now` is the ledger's time."""

    def __init__(self, folder, fake_engine, lane):
        self.now = 1e6
        self.engine, self.folder = fake_engine, folder
        self.ledger, self.store = MemoryLedger(lambda: self.now), FolderStore(folder)
        intake = Intake(self.store, IntakeLimits(), "one")
        intake.put("a.png", b"pixels")
        intake.commit(self.ledger, Question(Task.PREDICT, 1, lane), None, self.now)
        self.lane = lane
        self.end = Mock()
        limits = PulseLimits(LEASE_S, idle_s=10, busy_s=1000)
        self.pulse = Pulse(self.ledger, "w", limits, lambda: True, lambda: self.now, self.end)

    def work(self, store, times=1):
        """Offer and do, until so many messages have been met; how long it took."""
        scorer = Scorer(self.engine, self.ledger.note_fault, self.pulse.step, 2)
        runner = Runner(self.ledger, store, scorer, self.pulse, submit, Holder("w", LEASE_S, PAUSE_S))
        began = time.monotonic()
        for _ in range(times):
            for offer in self.ledger.offer(self.lane, 9):
                runner.run(offer.job_id, offer.chunk)
            self.now += 60  # more than a lease or an offer lasts
        return time.monotonic() - began

    @property
    def is_hopeless(self):
        self.ledger.offer(self.lane, 9)
        return bool(self.ledger.hopeless(9))


def submit(coroutine):
    """Run it here."""
    future: Future[object] = Future()
    try:
        future.set_result(asyncio.run(coroutine))
    except BaseException as error:  # noqa: BLE001 as a loop in another thread does
        future.set_exception(error)
    return future


@pytest.fixture(name="bench", params=list(Lane))
def _bench(request, tmp_path, fake_engine):
    return Bench(tmp_path / "share", fake_engine, request.param)


class TestStoreOutOfSight:
    def test_a_share_that_is_not_mounted_costs_no_job_anything(self, bench, tmp_path, caplog):
        """An empty folder: the worker takes no chunk, says so, and leaves messages to those who see the store."""
        took_s = bench.work(FolderStore(tmp_path / "empty"), times=LOSS_LIMIT + 1)

        assert not bench.is_hopeless
        assert bench.ledger.status("one").started_at is None
        assert took_s >= PAUSE_S * (LOSS_LIMIT + 1)
        assert "is it mounted" in caplog.text

    def test_nor_does_another_ledgers_store(self, bench, tmp_path, caplog):
        """An address mistyped: what lies there is not this job's."""
        other = FolderStore(tmp_path / "other")
        claim_store(MemoryLedger(), other)
        bench.work(other, times=LOSS_LIMIT + 1)

        assert not bench.is_hopeless
        assert bench.ledger.status("one").started_at is None
        assert "another Redis" in caplog.text

    def test_files_that_are_missing_are_looked_for_again(self, bench, tmp_path, caplog):
        """The store is the right one: its file says so, and perhaps it came with a backup."""
        bare = tmp_path / "bare"
        bare.mkdir()
        (bare / OWNER_FILE).write_text(bench.ledger.identity())
        took_s = bench.work(FolderStore(bare), times=LOSS_LIMIT + 1)

        assert not bench.is_hopeless
        assert took_s >= PAUSE_S * (LOSS_LIMIT + 1)
        assert "files are not in this upload store" in caplog.text

    def test_a_store_that_is_away_is_waited_for(self, bench):
        """Its chunk is given back as often as it takes."""
        bench.work(AwayStore(bench.folder), times=LOSS_LIMIT + 1)

        assert not bench.is_hopeless
        assert 0 == bench.ledger.status("one").done

    def test_a_store_that_is_slow_to_say_so_is_not_the_workers_fault(self, bench):
        """Drivers try again by themselves, for longer than a watchdog is patient with a worker that takes nothing."""

        class SlowStore(FolderStore):
            def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
                bench.now += 30
                bench.pulse.beat()
                raise StoreUnavailableError("the upload store cannot be read")

        bench.work(SlowStore(bench.folder))

        assert not bench.end.called

    @pytest.mark.parametrize("end", ["delete", "cancel"])
    def test_files_of_a_job_that_is_over_are_missed_by_nobody(self, bench, caplog, end):
        """It was purged after the worker had leased the chunk; nothing is given back, and nobody waits."""

        class Purged(FolderStore):
            def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
                if name != OWNER_FILE and end == "cancel":
                    bench.ledger.cancel("one", bench.now)
                elif name != OWNER_FILE:
                    bench.ledger.delete("one")
                self.delete(job_folder("one"))
                return super().read(name, start, stop)

        bench.ledger.release = Mock()
        bench.work(Purged(bench.folder))

        assert not bench.ledger.release.called
        assert "" == caplog.text
