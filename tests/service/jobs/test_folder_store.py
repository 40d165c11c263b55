"""A folder that cannot be written, or not be removed, and what is said then."""

import os
import resource
import threading
from pathlib import Path

import pytest

from models.errors import StoreUnavailableError
from service.jobs.errors import OutOfStorageError
from service.jobs.folder_store import FolderStore
from service.jobs.packs import PackWriter

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def fill_disk(folder, name):
    """From now on there is no room for what is written under this name: the store's draft leads to /dev/full."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{name}.{os.getpid()}.{threading.get_ident()}").symlink_to("/dev/full")


@needs_dev_full
class TestFullDisk:
    def test_a_file_that_finds_no_room_is_out_of_storage(self, tmp_path):
        """Told when it is flushed, at the latest; nothing stays."""
        fill_disk(tmp_path / "a", "b")
        with pytest.raises(OutOfStorageError), FolderStore(tmp_path).create("a/b") as file:
            file.write(b"little")

        assert [] == list((tmp_path / "a").iterdir())

    def test_a_piece_that_finds_no_room_is_out_of_storage(self, tmp_path):
        """Told at once where it is long; what was taken in is removed, the open pack too."""
        fill_disk(tmp_path / "jobs/one/uploads/packs", "0")
        packs = PackWriter(FolderStore(tmp_path), "one")
        with pytest.raises(OutOfStorageError):
            packs.write(bytes(2**20))
        packs.discard()

        assert [] == list((tmp_path / "jobs").iterdir())


class TestLostFolder:
    @pytest.fixture(name="store")
    def _store(self, tmp_path):
        (tmp_path / "jobs").write_text("a file where a folder should be")
        return FolderStore(tmp_path)

    def test_a_file_that_cannot_be_written_says_that_the_store_is_away(self, store):
        """It is not the client's fault, and may pass."""
        with pytest.raises(StoreUnavailableError), store.create("jobs/one/names"):
            pass

    def test_so_does_one_that_cannot_be_read(self, store):
        """A file that is not there is another matter: it may have been purged."""
        with pytest.raises(StoreUnavailableError):
            store.read("jobs/one/names")
        with pytest.raises(FileNotFoundError):
            store.read("names")

    def test_so_does_a_look_at_its_room(self, tmp_path):
        """Before the first byte is taken."""
        (tmp_path / "store").write_text("a file where a folder should be")
        with pytest.raises(StoreUnavailableError):
            FolderStore(tmp_path / "store").require_room()


class TestListing:
    def test_the_newest_file_counts_however_deep_it_lies(self, tmp_path):
        """A folder's own time stands still while a file below it grows."""
        store = FolderStore(tmp_path)
        for number, name in enumerate(("names", "uploads/packs/0", "uploads/index")):
            with store.create(f"jobs/one/{name}") as file:
                file.write(b"x")
            os.utime(tmp_path / "jobs/one" / name, (number, number))
        os.utime(tmp_path / "jobs/one/uploads/packs/0", (9e9, 9e9))

        assert 9e9 == store.last_write("jobs/one")

    def test_what_is_removed_meanwhile_is_passed_over(self, tmp_path, monkeypatch):
        """By another process, between the listing and the look."""
        (tmp_path / "one").mkdir()
        os.utime(tmp_path / "one", (7, 7))
        monkeypatch.setattr("service.jobs.folder_store._tree", lambda folder: [folder, folder / "gone"])

        assert 7 == FolderStore(tmp_path).last_write("one")

    def test_a_folder_that_is_not_there_has_no_folders(self, tmp_path):
        """Nor a time by which it could be taken for old."""
        assert [] == list(FolderStore(tmp_path).folders("jobs"))
        assert FolderStore(tmp_path).last_write("jobs") == float("inf")

    @pytest.mark.parametrize("ask", [lambda store: list(store.folders("one")), lambda store: store.last_write("one")])
    def test_what_cannot_be_listed_is_told(self, tmp_path, ask):
        """Here no folder can be opened for a moment."""
        (tmp_path / "one").mkdir()
        store = FolderStore(tmp_path)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            with pytest.raises(StoreUnavailableError):
                ask(store)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class TestDelete:
    def test_it_says_whether_there_was_anything(self, tmp_path):
        """A second call finds nothing."""
        store = FolderStore(tmp_path)
        with store.create("jobs/one/names") as file:
            file.write(b"x")

        assert [True, False] == [store.delete("jobs/one") for _ in range(2)]

    def test_what_cannot_be_removed_is_told(self, tmp_path):
        """A client that was told 204 believes that the pictures are gone. Here no folder can be opened for a moment."""
        (tmp_path / "jobs/one").mkdir(parents=True)
        store = FolderStore(tmp_path)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            with pytest.raises(StoreUnavailableError):
                store.delete("jobs/one")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert store.delete("jobs/one")
