"""When taking a job in goes wrong halfway: replies that are lost, disks that fill, stores that go away."""

import pytest

from models.errors import StoreUnavailableError
from service.jobs.errors import ConflictError, OutOfStorageError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import Intake, IntakeLimits, Question
from service.jobs.job import Chunk, Task
from service.jobs.packs import read_uploads
from tests.service.jobs.memory_ledger import MemoryLedger

LIMITS = IntakeLimits(file_bytes=1000, job_bytes=5000, files=20)
QUESTION = Question(Task.PREDICT, 4)


class LostReplyLedger(MemoryLedger):
    """It writes the first job down, and its answer is then lost on the way."""

    lost = False

    def create(self, job, *, refused=None, claim=None):
        held = super().create(job, refused=refused, claim=claim)
        if not self.lost:
            self.lost = True
            raise StoreUnavailableError("the job store does not answer")
        return held


class RacedLedger(MemoryLedger):
    """Another request with the same key comes between the look at the claim and the writing."""

    def find_claim(self, claim):
        return None

    def create(self, job, *, refused=None, claim=None):
        raise ConflictError("this Idempotency-Key was used for another request")


@pytest.fixture(name="store")
def _store(tmp_path):
    return FolderStore(tmp_path / "store")


def take_in(store, ledger, job_id, content):
    """One file under the key that all requests here have; what fails is discarded, as API and `batch` do."""
    intake = Intake(store, LIMITS, job_id)
    try:
        intake.begin_file()
        intake.write(content)
        intake.end_file("a")
        return intake.commit(ledger, QUESTION, intake.claim("key", QUESTION), 1.0)
    except BaseException:
        intake.discard()
        raise


class TestLostReplies:
    def test_a_job_that_may_be_accepted_keeps_its_files(self, store):
        """Only the ledger knows; the same key then leads to the job, and that has all of them."""
        ledger = LostReplyLedger()
        with pytest.raises(StoreUnavailableError):
            take_in(store, ledger, "one", b"content")

        assert "one" == take_in(store, ledger, "two", b"content")
        assert [(0, b"content")] == list(read_uploads(store, "one", Chunk(0, 1)))
        assert ["one"] == list(store.folders("jobs"))

    def test_another_body_under_the_key_is_still_a_conflict(self, store):
        """And leaves nothing."""
        ledger = LostReplyLedger()
        with pytest.raises(StoreUnavailableError):
            take_in(store, ledger, "one", b"content")
        with pytest.raises(ConflictError):
            take_in(store, ledger, "two", b"else")

        assert ["one"] == list(store.folders("jobs"))

    def test_a_conflict_that_is_told_at_the_last_moment_leaves_nothing(self, store):
        """The ledger has answered: it did not take the job."""
        with pytest.raises(ConflictError):
            take_in(store, RacedLedger(), "one", b"content")

        assert [] == list(store.folders("jobs"))


class FillingStore(FolderStore):
    """A store that has room once, and then no more."""

    asked = 0

    def require_room(self, num_bytes: int = 0) -> None:
        self.asked += 1
        if self.asked > 1:
            raise OutOfStorageError("the disk is nearly full")


def send_archive(intake, num_pieces):
    """The beginning of an archive, in pieces of a mebibyte."""
    intake.begin_file()
    intake.write(b"PK\x03\x04")
    for _ in range(num_pieces):
        intake.write(bytes(2**20))


class TestFullDisks:
    def test_an_archive_on_its_way_stops_before_the_reserve(self, tmp_path):
        """It is told every 16 MiB, as other files are: an archive may be as long as a job."""
        limits = IntakeLimits(job_bytes=2**30, scratch=tmp_path)
        intake = Intake(FillingStore(tmp_path / "store"), limits, "one")
        with pytest.raises(OutOfStorageError):
            send_archive(intake, 17)
        intake.discard()

    def test_the_disk_of_archives_has_a_reserve_of_its_own(self, tmp_path):
        """The store may be elsewhere, and have room."""
        limits = IntakeLimits(job_bytes=2**30, scratch=tmp_path, reserve_bytes=2**62)
        intake = Intake(FolderStore(tmp_path / "store"), limits, "one")
        with pytest.raises(OutOfStorageError):
            send_archive(intake, 1)
        intake.discard()
