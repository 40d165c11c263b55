"""What is overdue, hopeless or old is dealt with, and nothing of it keeps another from being."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from unittest.mock import Mock

import pytest

from models.errors import StoreUnavailableError
from service.jobs.errors import ExpiredJobError, LedgerAwayError, OutOfStorageError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import Intake, IntakeLimits, Question
from service.jobs.job import Chunk, Job, JobState, Lane, Task
from service.jobs.ledger import LOSS_LIMIT
from service.jobs.packs import job_folder, uploads_folder
from service.jobs.reconciler import Reconciler, Retention
from service.jobs.store_owner import ForeignStoreError, UnclaimedStoreError, claim_store
from tests.service.jobs.memory_ledger import MemoryLedger
from tests.service.jobs.memory_queue import MemoryQueue

NOW = 1e6
DAY_S = 86400.0


class FaultyStore(FolderStore):
    """A store that takes nothing for these jobs, keeps what it has of them, or does not show it."""

    full_for: frozenset[str] = frozenset()
    dark_for: frozenset[str] = frozenset()
    stuck_for: frozenset[str] = frozenset()

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        if any(job_folder(job_id) in name for job_id in self.full_for):
            raise OutOfStorageError("the upload store is full")
        with super().create(name) as file:
            yield file

    def delete(self, folder: str) -> bool:
        if any(job_folder(job_id) in folder for job_id in self.stuck_for):
            raise PermissionError(folder)
        return super().delete(folder)

    def last_write(self, folder: str) -> float:
        if any(job_folder(job_id) in folder for job_id in self.dark_for):
            raise StoreUnavailableError("the upload store cannot be read")
        return super().last_write(folder)


class Turns(threading.Event):
    """Stops after so many turns, without waiting."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        self.pauses.append(timeout)
        return self.left < 0


class Site:
    """A reconciler and all that it looks after; `now` is set by the test."""

    def __init__(self, root, queue=None, *, claims=True):
        self.now, self.root = NOW, root
        self.ledger, self.queue = MemoryLedger(lambda: self.now), queue or MemoryQueue()
        self.use(FaultyStore(root))
        if claims:
            claim_store(self.ledger, self.store)

    def use(self, store):
        """From here on its reconciler has this store."""
        self.store = store
        retention = Retention(uploads_s=DAY_S, results_s=30 * DAY_S, interactive_s=900)
        self.reconciler = Reconciler(self.ledger, self.queue, store, retention, "test", lambda: self.now)

    def end(self, job_id):
        """A job that ends now, with an upload in the store."""
        self.end_in_ledger(job_id)
        self.upload(job_id)

    def end_in_ledger(self, job_id):
        """A job that ends now, without files."""
        self.ledger.create(Job(job_id, Task.PREDICT, 1, 1, self.now))
        self.ledger.cancel(job_id, self.now)

    def upload(self, job_id):
        with self.store.create(f"{uploads_folder(job_id)}/index") as file:
            file.write(b"x")

    def lose(self, job_id):
        """A job whose one item takes every worker down."""
        self.ledger.create(Job(job_id, Task.PREDICT, 1, 1, self.now))
        chunk = Chunk(0, 1)
        for _ in range(LOSS_LIMIT):
            self.ledger.offer(Lane.BULK, 9)
            self.ledger.lease(job_id, chunk, "w", 10)
            self.now += 10
        self.ledger.offer(Lane.BULK, 9)

    def with_uploads(self, folder="jobs"):
        names = list(self.store.folders(folder))
        return {name for name in names if list(self.store.folders(job_folder(name)))}


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


class TestTick:
    def test_a_full_disk_keeps_no_sweep_from_making_room(self, site):
        """A write-off needs room; the sweep comes first, and makes some."""
        site.end("old")
        site.now += 31 * DAY_S
        site.lose("lost")
        site.store.full_for = frozenset({"lost"})
        site.reconciler.tick()

        assert set() == site.with_uploads()
        assert [("lost", 0)] == site.ledger.hopeless(9), "it is tried again"

    def test_a_write_off_that_fails_keeps_no_other_from_its_row(self, site):
        """One store, one job without room in it."""
        for job_id in ("a", "b"):
            site.lose(job_id)
        site.store.full_for = frozenset({"a"})
        site.reconciler.tick()

        assert [("a", 0)] == site.ledger.hopeless(9)
        assert JobState.DONE is site.ledger.status("b").state


class TestSweep:
    def test_uploads_go_on_time_however_many_jobs_have_ended(self, site):
        """The jobs of a month stand in the ledger; those whose uploads are gone are in nobody's way."""
        for number in range(10_050):
            site.ledger.create(Job(f"{number:06}", Task.PREDICT, 1, 1, site.now))
            site.ledger.cancel(f"{number:06}", site.now)
        site.now += 1
        site.end("last")
        site.now += DAY_S + 1
        for _ in range(2):
            site.reconciler.sweep()

        assert set() == site.with_uploads()
        assert JobState.CANCELLED is site.ledger.status("last").state

    def test_uploads_are_kept_until_then(self, site):
        """A day after the job's end, here."""
        site.end("a")
        site.now += DAY_S - 1
        site.reconciler.sweep()

        assert {"a"} == site.with_uploads()

    def test_a_folder_that_stays_keeps_no_other_from_going_and_is_tried_again(self, site):
        """Somebody else's file in it, a disk error: it is one job's matter."""
        for job_id in ("a", "b"):
            site.end(job_id)
        site.now += DAY_S + 1
        site.store.stuck_for = frozenset({"a"})
        site.reconciler.sweep()

        assert {"a"} == site.with_uploads()
        site.store.stuck_for = frozenset()
        site.reconciler.sweep()
        assert set() == site.with_uploads()

    def test_a_whole_job_that_stays_keeps_no_other_from_going(self, site):
        """Its results are past their time; it is forgotten all the same, and its folder is an orphan's then."""
        for job_id in ("a", "b"):
            site.end(job_id)
        site.now += 30 * DAY_S + 1
        site.store.stuck_for = frozenset({"a"})

        assert 2 == site.reconciler.sweep()

        assert [False, False] == site.ledger.exists(["a", "b"])
        assert {"a"} == site.with_uploads()

    @pytest.mark.parametrize("answered", [True, False])
    def test_what_an_api_process_left_behind_goes_soon(self, site, tmp_path, answered):
        """An interactive upload and its answer, which nobody waits for any more; a job in the bulk lane stays."""
        intake = Intake(site.store, IntakeLimits(), "left")
        intake.put("upload", b"pixels")
        intake.commit(site.ledger, Question(Task.PREDICT, 1, Lane.INTERACTIVE), None, site.now)
        if answered:
            site.ledger.offer(Lane.INTERACTIVE, 9)
            site.ledger.lease("left", Chunk(0, 1), "w", 10)
            site.ledger.finish("left", Chunk(0, 1), "answer", {0: False})
        site.end("bulk")
        for path in tmp_path.rglob("*"):
            os.utime(path, (NOW, NOW))
        site.now += 899
        site.reconciler.sweep()
        assert {"bulk", "left"} == site.with_uploads()
        site.now += 2
        site.reconciler.sweep()

        assert {"bulk"} == site.with_uploads()
        with pytest.raises(ExpiredJobError):
            site.ledger.status("left")

    def test_what_nobody_accepted_goes_when_nothing_came_for_a_day(self, site, tmp_path):
        """An upload that broke off. One that is still on its way writes into its newest file, wherever that lies."""
        for job_id in ("broken", "slow"):
            site.upload(job_id)
        (tmp_path / job_folder("empty")).mkdir()
        for path in tmp_path.rglob("*"):
            os.utime(path, (NOW, NOW))
        os.utime(tmp_path / uploads_folder("slow") / "index", (NOW + DAY_S, NOW + DAY_S))
        site.now += DAY_S + 1
        site.reconciler.sweep()

        assert ["slow"] == list(site.store.folders("jobs"))

    def test_a_folder_that_cannot_be_read_keeps_no_other_from_going(self, site):
        """Nor what of it is left from being looked at again."""
        for job_id in ("a", "b"):
            site.upload(job_id)
        site.now = time.time() + DAY_S + 60
        site.store.dark_for = frozenset({"a"})
        site.reconciler.sweep()

        assert {"a"} == site.with_uploads()

    def test_nothing_is_swept_for_a_ledger_that_knows_none_of_it(self, site, tmp_path):
        """A Redis that was emptied, or another service's: each of these folders would be nobody's."""
        site.end("a")
        site.now = time.time() + 60 * DAY_S
        stranger = Site(tmp_path, claims=False)
        stranger.now = site.now
        stranger.end_in_ledger("a")
        with pytest.raises(ForeignStoreError, match="delete the store's file 'ledger'"):
            stranger.reconciler.sweep()
        with pytest.raises(ForeignStoreError):
            stranger.reconciler.purge("a")

        assert {"a"} == site.with_uploads()
        assert [True] == stranger.ledger.exists(["a"])

    def test_a_share_that_is_not_mounted_is_not_taken_for_one_that_was_cleared(self, site, tmp_path):
        """Uploads would be forgotten by the ledger that lie there still."""
        site.end("a")
        site.now += DAY_S + 1
        site.use(FaultyStore(tmp_path / "empty"))
        with pytest.raises(UnclaimedStoreError):
            site.reconciler.sweep()

        assert ["a"] == site.ledger.uploads_before(site.now - DAY_S, 9)


class TestOwner:
    def test_who_does_not_see_the_store_leaves_the_turn_to_others(self, tmp_path, monkeypatch):
        """One process at a time keeps jobs going; were it the one that cannot, nobody would."""
        for site in (Site(tmp_path / "empty", claims=False), Site(tmp_path / "other", claims=False)):
            if site.root.name == "other":
                claim_store(MemoryLedger(), site.store)
            monkeypatch.setattr(site.ledger, "acquire", turn := Mock(return_value=True))
            with pytest.raises(StoreUnavailableError):
                site.reconciler.tick()

            assert not turn.called

    def test_a_store_that_nobody_has_used_is_no_news(self, tmp_path, caplog):
        """As long as no job was accepted."""
        Site(tmp_path, claims=False).reconciler.run(Turns(3))

        assert "" == caplog.text

    def test_another_ledgers_store_is(self, tmp_path, caplog):
        """With what there is to do, and not every second."""
        site, turns = Site(tmp_path, claims=False), Turns(2)
        claim_store(MemoryLedger(), site.store)
        site.reconciler.run(turns)

        assert "delete the store's file 'ledger'" in caplog.text
        assert turns.pauses[0] < turns.pauses[1]


class TestRun:
    def test_why_nothing_goes_on_is_said_once(self, tmp_path, caplog):
        """By what Redis's client met, and again after it went on in between."""
        causes = [ConnectionError(), ConnectionError(), TimeoutError(), None, TimeoutError()]

        class AwayQueue(MemoryQueue):
            def waiting(self, lane):
                if lane is Lane.INTERACTIVE and (cause := causes.pop(0)) is not None:
                    raise LedgerAwayError("away") from cause
                return super().waiting(lane)

        Site(tmp_path, AwayQueue()).reconciler.run(Turns(5))

        assert ["ConnectionError", "TimeoutError", "TimeoutError"] == [
            record.fields["error"] for record in caplog.records
        ]

    def test_an_unexpected_exception_does_not_end_it(self, tmp_path):
        """A thread that ends says nothing, and no lost chunk would come back from then on."""

        class BrokenOnce(MemoryQueue):
            broken = True

            def send(self, lane, offer):
                if self.broken:
                    self.broken = False
                    raise RuntimeError("whatever a broker's library throws")
                super().send(lane, offer)

        queue = BrokenOnce()
        site = Site(tmp_path, queue)
        for job_id in ("a", "b"):
            site.ledger.create(Job(job_id, Task.PREDICT, 1, 1, site.now))

        def later() -> float:
            site.now += 60
            return site.now

        site.reconciler = Reconciler(site.ledger, queue, site.store, Retention(DAY_S, DAY_S), "test", later)
        site.reconciler.run(Turns(3))

        assert {"a", "b"} == {offer.job_id for offer in queue.messages[Lane.BULK]}
