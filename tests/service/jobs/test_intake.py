"""What may be sent as a job, and what becomes of the rest: a row of its own, or a refusal of the whole."""

import io
import zipfile
from pathlib import Path

import pytest

from models.errors import InvalidRequestError, UploadTooLargeError
from service.jobs.errors import ConflictError, OutOfStorageError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import Intake, IntakeLimits, Question, new_job_id
from service.jobs.job import Chunk, Task
from service.jobs.packs import read_names, read_uploads
from service.jobs.remote_store import RemoteStore
from service.jobs.results import read_rows
from tests.service.jobs.memory_ledger import MemoryLedger

LIMITS = IntakeLimits(file_bytes=1000, job_bytes=5000, files=20)
QUESTION = Question(Task.PREDICT, 4)


def archive(entries: dict[str, bytes], **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(params=["folder", "fsspec"])
def store(request, tmp_path):
    """Both kinds of store."""
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    return RemoteStore(f"memory://{tmp_path.name}")


@pytest.fixture
def ledger():
    """In memory."""
    return MemoryLedger()


def send(intake, *files, piece_bytes=7):
    """The files, in small pieces, as a network brings them."""
    for name, content in files:
        intake.begin_file()
        for start in range(0, len(content), piece_bytes):
            intake.write(content[start : start + piece_bytes])
        intake.end_file(name)


def failures(ledger, store, job_id):
    return {name: row.failure.code for name, row in read_rows(ledger, store, job_id)}


class TestFiles:
    def test_files_are_read_back_in_the_order_of_submission(self, store, ledger):
        """Small, empty, tiny, and two of the same name."""
        files = [("a", b"x" * 900), ("b", b""), ("c", b"1"), ("a", b"other")]
        intake = Intake(store, LIMITS, "job")
        send(intake, *files)
        intake.commit(ledger, QUESTION, None, 1.0)

        assert [name for name, _ in files] == list(read_names(store, "job"))
        assert [content for _, content in files] == [content for _, content in read_uploads(store, "job", Chunk(0, 4))]
        assert [(2, b"1")] == list(read_uploads(store, "job", Chunk(2, 3)))
        assert 4 == ledger.status("job").job.total

    def test_a_file_over_the_limit_gets_a_row_that_says_so(self, store, ledger):
        """The others are taken."""
        intake = Intake(store, LIMITS, "job")
        send(intake, ("large", b"x" * 1001), ("small", b"fine"))
        intake.commit(ledger, QUESTION, None, 1.0)

        assert {"large": "upload-too-large"} == failures(ledger, store, "job")
        assert [(1, b"fine")] == list(read_uploads(store, "job", Chunk(1, 2)))

    def test_a_name_is_kept_to_what_can_be_printed(self, store, ledger):
        """It stands in tables, and on terminals."""
        intake = Intake(store, LIMITS, "job")
        send(intake, ("\x1b[31mred\r\n", b"x"))
        intake.commit(ledger, QUESTION, None, 1.0)

        assert ["[31mred"] == list(read_names(store, "job"))

    def test_an_empty_job_is_refused(self, store, ledger):
        """There would be nothing to answer."""
        with pytest.raises(InvalidRequestError, match="empty"):
            Intake(store, LIMITS, "job").commit(ledger, QUESTION, None, 1.0)

    def test_one_file_too_many_refuses_the_job(self, store):
        """Whole: half of an archive is nobody's wish."""
        intake = Intake(store, LIMITS, "job")
        with pytest.raises(UploadTooLargeError, match="20 files"):
            send(intake, *[(str(number), b"x") for number in range(21)])

    def test_too_many_bytes_refuse_the_job(self, store):
        """As above."""
        intake = Intake(store, LIMITS, "job")
        with pytest.raises(UploadTooLargeError, match="5000 bytes"):
            send(intake, *[(str(number), b"x" * 999) for number in range(6)])

    def test_a_discarded_job_leaves_nothing(self, store):
        """Refused is refused."""
        intake = Intake(store, LIMITS, "job")
        send(intake, ("a", b"x" * 100))
        intake.discard()

        assert [] == list(store.folders("jobs"))


class TestArchives:
    def test_a_zip_is_unpacked_among_other_files(self, store, ledger):
        """Told by its first bytes; its own name and its folders are part of the names."""
        intake = Intake(store, LIMITS, "job")
        send(intake, ("a", b"first"), ("x.bin", archive({"p/1": b"one", "p/2": b"two"})), ("b", b"last"))
        intake.commit(ledger, QUESTION, None, 1.0)

        assert ["a", "x.bin/p/1", "x.bin/p/2", "b"] == list(read_names(store, "job"))
        assert [b"first", b"one", b"two", b"last"] == [
            content for _, content in read_uploads(store, "job", Chunk(0, 4))
        ]

    def test_members_of_the_same_name_are_told_apart(self, store, ledger):
        """By the archives they lie in, also where both names are as long as may be."""
        intake = Intake(store, LIMITS, "job")
        member = "m" * 300
        send(intake, *[(name, archive({member: b"x"})) for name in ("1.zip", "2.zip")], (member, b"x"))
        intake.commit(ledger, QUESTION, None, 1.0)

        assert [f"1.zip/{member}", f"2.zip/{member}", member] == list(read_names(store, "job"))

    @pytest.mark.parametrize("name", ["../up", "a/../../up", "/root", "..\\up", "C:/up"])
    def test_a_name_that_leads_out_gets_a_row_that_says_so(self, store, ledger, name):
        """Nothing is ever written under such a name; nor should who reads the results."""
        intake = Intake(store, LIMITS, "job")
        send(intake, ("z", archive({name: b"evil", "good": b"fine"})))
        intake.commit(ledger, QUESTION, None, 1.0)

        assert ["invalid-request"] == list(failures(ledger, store, "job").values())
        assert 2 == ledger.status("job").job.total

    def test_a_bomb_is_read_no_further_than_a_file_may_be_long(self, store, ledger):
        """A megabyte of zeros in a kilobyte."""
        intake = Intake(store, LIMITS, "job")
        send(intake, ("z", archive({"bomb": bytes(10**6)})))
        intake.commit(ledger, QUESTION, None, 1.0)

        assert {"z/bomb": "upload-too-large"} == failures(ledger, store, "job")

    def test_many_files_that_are_too_much_together_refuse_the_job(self, store):
        """A bomb of many small parts."""
        with pytest.raises(UploadTooLargeError, match="5000 bytes"):
            send(Intake(store, LIMITS, "job"), ("z", archive({str(number): bytes(999) for number in range(6)})))

    def test_too_many_entries_are_told_before_they_are_read(self, store):
        """By what the end of the archive says."""
        with pytest.raises(UploadTooLargeError, match="21 entries"):
            send(Intake(store, LIMITS, "job"), ("z", archive({str(number): b"" for number in range(21)})))

    @pytest.mark.parametrize("cut", [5, 60, 100])
    def test_an_archive_cut_short_refuses_the_job(self, store, cut):
        """Nobody knows what was in it."""
        with pytest.raises(InvalidRequestError, match="archive"):
            send(Intake(store, LIMITS, "job"), ("z", archive({"a": bytes(range(256))})[:cut]))

    def test_a_damaged_entry_gets_a_row_that_says_so(self, store, ledger):
        """The others are taken."""
        content = bytearray(archive({"a": bytes(range(200)), "b": b"fine"}))
        content[40:60] = bytes(20)
        intake = Intake(store, LIMITS, "job")
        send(intake, ("z", bytes(content)))
        intake.commit(ledger, QUESTION, None, 1.0)

        assert {"z/a": "invalid-request"} == failures(ledger, store, "job")


class TestClaims:
    def commit(self, store, ledger, job_id, content):
        intake = Intake(store, LIMITS, job_id)
        send(intake, ("a", content))
        return intake.commit(ledger, QUESTION, intake.claim("key", QUESTION), 1.0)

    def test_the_same_job_twice_is_one(self, store, ledger):
        """The second upload is dropped."""
        assert ["one", "one"] == [self.commit(store, ledger, job_id, b"same") for job_id in ("one", "two")]
        assert ["one"] == list(store.folders("jobs"))

    def test_another_job_under_the_same_key_is_a_conflict(self, store, ledger):
        """By its content, not by its names alone."""
        self.commit(store, ledger, "one", b"same")
        with pytest.raises(ConflictError):
            self.commit(store, ledger, "two", b"else")


class TestFolder:
    def test_a_full_disk_is_told_before_it_is_full(self, tmp_path):
        """The watermark: 507, and nothing half taken."""
        intake = Intake(FolderStore(tmp_path, reserve_bytes=2**62), LIMITS, "job")
        with pytest.raises(OutOfStorageError):
            send(intake, ("a", b"content"))

    def test_a_file_is_there_in_full_or_not_at_all(self, tmp_path):
        """Whoever dies in the middle of writing leaves nothing under the name."""
        store = FolderStore(tmp_path)
        with pytest.raises(ZeroDivisionError), store.create("a/b") as file:
            file.write(bytes(1 // (file.write(b"half") - 4)))

        with pytest.raises(FileNotFoundError):
            store.read("a/b")
        assert [] == list((tmp_path / "a").iterdir())

    def test_files_are_for_the_owner_alone(self, tmp_path):
        """They are patients' pictures."""
        store = FolderStore(tmp_path / "store")
        with store.create("a/b") as file:
            file.write(b"x")

        modes = {path.name: path.stat().st_mode & 0o777 for path in Path(tmp_path / "store").rglob("*")}
        assert {"a": 0o700, "b": 0o600} == modes

    def test_no_name_leads_out(self, tmp_path):
        """Names are ours; should one ever not be."""
        with pytest.raises(ValueError, match="out of the store"):
            FolderStore(tmp_path / "store").read("../secret")


def test_new_job_id__is_no_option_of_a_command():
    """`purge` takes it as it is."""
    ids = {new_job_id() for _ in range(500)}

    assert 500 == len(ids)
    assert all(one.isalnum() and len(one) >= 22 for one in ids)
