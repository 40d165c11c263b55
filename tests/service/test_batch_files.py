"""What `batch` takes in, and whom it blames for what it cannot take."""

import os
import threading
from pathlib import Path

import pytest

from models.errors import InvalidRequestError
from service.__main__ import main
from service.commands.batch_files import draft_of, find_files, take_file
from service.jobs.errors import OutOfStorageError
from service.jobs.folder_store import FolderStore
from service.jobs.intake import Intake, IntakeLimits, Question
from service.jobs.job import Task
from service.jobs.results import read_rows
from tests.service.jobs.memory_ledger import MemoryLedger


@pytest.fixture(name="folder")
def _folder(tmp_path) -> Path:
    """Two files, one in a subfolder."""
    folder: Path = tmp_path / "scans"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"first")
    (folder / "deep" / "b.png").write_bytes(b"second")
    return folder


class TestFindFiles:
    def test_our_own_results_are_no_input(self, folder):
        """The next run, with the same words, finds the same files, and so the same job; a draft may have been left."""
        out = folder / "deep" / "rows.jsonl"
        before = find_files(folder, out)
        out.write_text("{}")
        draft_of(out).write_text("{")

        assert [folder / "a.png", folder / "deep" / "b.png"] == before == find_files(folder, out)

    def test_a_file_of_that_name_elsewhere_is_one(self, folder, tmp_path):
        """Names alone tell nothing."""
        (folder / "rows.jsonl").write_text("{}")

        assert folder / "rows.jsonl" in find_files(folder, tmp_path / "rows.jsonl")

    def test_a_folder_with_nothing_else_holds_no_files(self, tmp_path):
        """There would be nothing to answer."""
        (tmp_path / "rows.jsonl").write_text("{}")
        with pytest.raises(InvalidRequestError, match="no files"):
            find_files(tmp_path, tmp_path / "rows.jsonl")

    def test_leftovers_of_operating_systems_are_no_input(self, folder):
        """At any depth; the folder that is searched may have any name."""
        before = find_files(folder, folder / "rows.jsonl")
        for name in (".DS_Store", "deep/Thumbs.db", "deep/__MACOSX/a.png"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"x")

        assert before == find_files(folder, folder / "rows.jsonl")
        assert 1 == len(find_files(folder / "deep/__MACOSX", folder / "rows.jsonl"))

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("absent", "there is no folder"), ("a.png", "is a file"), ("a.png/deep", "Not a directory")],
    )
    def test_what_is_no_folder_is_called_what_it_is(self, folder, name, reason):
        """A slip of the hand is not an empty folder."""
        with pytest.raises(InvalidRequestError, match=reason):
            find_files(folder / name, folder / "rows.jsonl")


class TestTakeFile:
    def test_a_file_that_cannot_be_read_gets_a_row_that_says_so(self, folder, tmp_path):
        """The others are taken; the file may have gone since it was found."""
        store, ledger = FolderStore(tmp_path / "store"), MemoryLedger()
        intake = Intake(store, IntakeLimits(), "one")
        for name in ("a.png", "gone.png", "deep/b.png"):
            take_file(intake, name, folder / name)
        intake.commit(ledger, Question(Task.PREDICT, 8), None, 1.0)

        assert 3 == ledger.status("one").job.total
        assert ["gone.png"] == [name for name, row in read_rows(ledger, store, "one") if row.failure]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_disk_is_not_the_files_fault(self, folder, tmp_path):
        """It ends the run; rows that blame the files would be final."""
        packs = tmp_path / "store/jobs/one/uploads/packs"
        packs.mkdir(parents=True)
        (packs / f".0.{os.getpid()}.{threading.get_ident()}").symlink_to("/dev/full")
        (folder / "a.png").write_bytes(bytes(2**20))
        intake = Intake(FolderStore(tmp_path / "store"), IntakeLimits(), "one")
        with pytest.raises(OutOfStorageError):
            take_file(intake, "a.png", folder / "a.png")
        intake.discard()


@pytest.mark.parametrize(("option", "value"), [("--rounds", "0"), ("--seed", "-1"), ("--masks", "4")])
def test_batch__says_what_is_wrong_with_an_option(run_batch, option, value):
    """As the API does of a form: no such value, or an option of anomaly maps alone; exit status 2, and no traceback."""
    status, said = run_batch(option, value)

    assert 2 == status
    assert f"thorascope: {option[2:]}: " in said


@pytest.fixture(name="run_batch")
def _run_batch(folder, tmp_path, bundle_dir, monkeypatch, capsys):
    """`batch` over the folder; it is to end before it looks for a Redis."""
    monkeypatch.setenv("THORASCOPE_BUNDLE_DIR", str(bundle_dir))
    monkeypatch.setenv("THORASCOPE_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["batch", str(folder), "--out", str(tmp_path / "rows.jsonl"), *arguments])
        return status, capsys.readouterr().err

    return run
