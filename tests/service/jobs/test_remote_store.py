"""Uploads at an address of fsspec: files that are on their way at the same time."""

import time
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from models.errors import StoreUnavailableError
from service.jobs.errors import OutOfStorageError
from service.jobs.remote_store import RemoteStore


class NoEndpointError(Exception):
    """As botocore's errors, no OSError."""


class AwayFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """A driver whose service does not answer to these calls."""

    protocol = "away"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    away: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in AwayFileSystem.away:
            raise NoEndpointError(name)
        return super().__getattribute__(name)

    def _open(self, path: str, *arguments: Any, **options: Any) -> Any:
        file = super()._open(path, *arguments, **options)
        for name in AwayFileSystem.away & {"write", "commit"}:
            setattr(file, name, AwayFileSystem._fail)
        return file

    @staticmethod
    def _fail(*_arguments: Any) -> None:
        raise NoEndpointError


class RememberingFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """A driver that lists a folder once, as those of object stores do."""

    protocol = "remembering"
    seen: ClassVar[dict[str, Any]] = {}

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:  # noqa: FBT001, FBT002 fsspec's signature
        return self.seen.setdefault(path, super().ls(path, detail, **options))

    def invalidate_cache(self, path: str | None = None) -> None:
        self.seen.clear()


fsspec.register_implementation("away", AwayFileSystem, clobber=True)
fsspec.register_implementation("remembering", RememberingFileSystem, clobber=True)


@pytest.fixture(name="store")
def _store(tmp_path):
    """Files on disk, but by way of fsspec, which shares one driver among all stores of a kind."""
    return RemoteStore(f"file://{tmp_path}/store")


class TestCreate:
    def test_a_file_that_fails_takes_no_other_with_it(self, store):
        """Two clients send at once, and one breaks off: the other's file is there, in full."""
        with store.create("jobs/a/packs/0") as one:
            one.write(b"first ")
            with pytest.raises(ZeroDivisionError), store.create("jobs/b/packs/0") as other:
                other.write(bytes(1 // 0))
            one.write(b"half")

        assert b"first half" == store.read("jobs/a/packs/0")
        with pytest.raises(FileNotFoundError):
            store.read("jobs/b/packs/0")

    def test_a_file_is_seen_when_its_own_context_ends(self, store):
        """Neither sooner nor later than that, whatever else is being written."""
        with store.create("jobs/a/packs/0") as one:
            one.write(b"one")
            with store.create("jobs/b/packs/0") as other:
                other.write(b"other")
            assert b"other" == store.read("jobs/b/packs/0")
            with pytest.raises(FileNotFoundError):
                store.read("jobs/a/packs/0")

        assert b"one" == store.read("jobs/a/packs/0")


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_delete__says_whether_there_was_anything(tmp_path, scheme):
    """A second call finds nothing."""
    store = RemoteStore(f"{scheme}://{tmp_path}/store")
    with store.create("jobs/one/names") as file:
        file.write(b"x")

    assert [True, False] == [store.delete("jobs/one") for _ in range(2)]


class TestAway:
    @pytest.fixture(name="away")
    def _away(self):
        """A store that holds one file, and the calls to which its service does not answer."""
        store = RemoteStore("away://store")
        with store.create("jobs/one/names") as file:
            file.write(b"x")
        yield store, AwayFileSystem.away
        AwayFileSystem.away.clear()

    @pytest.mark.parametrize(
        ("call", "ask"),
        [
            ("cat_file", lambda store: store.read("jobs/one/names")),
            ("rm", lambda store: store.delete("jobs/one")),
            ("ls", lambda store: list(store.folders("jobs"))),
            ("find", lambda store: store.last_write("jobs/one")),
        ],
    )
    def test_whatever_a_driver_raises_says_that_the_store_is_away(self, away, call, ask):
        """Drivers let through what the libraries under them raise; a worker knows our errors alone."""
        store, calls = away
        calls.add(call)
        with pytest.raises(StoreUnavailableError):
            ask(store)

    @pytest.mark.parametrize("call", ["makedirs", "_open", "write", "commit"])
    def test_so_does_what_it_raises_while_a_file_is_written(self, away, call):
        """Before, in the middle and at the end."""
        store, calls = away
        calls.add(call)
        with pytest.raises(StoreUnavailableError), store.create("jobs/two/names") as file:
            file.write(b"x")

    def test_what_the_caller_raises_is_the_callers(self, store):
        """A client that broke off is not the store's fault."""
        with pytest.raises(ConnectionResetError), store.create("jobs/two/names"):
            raise ConnectionResetError

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_disk_is_said_to_be_full(self, store):
        """Where the address is that of a disk."""

        def write() -> None:
            with store.create("jobs/two/names") as file, Path("/dev/full").open("wb", buffering=0) as full:
                file._file.f.close()
                file._file.f = full
                file.write(b"x")

        with pytest.raises(OutOfStorageError):
            write()


class TestListing:
    def test_the_newest_file_counts_where_folders_have_no_time(self, tmp_path):
        """In object stores there are no folders."""
        store = RemoteStore(f"memory://{tmp_path.name}")
        began = time.time()
        for name in ("names", "uploads/packs/0"):
            with store.create(f"jobs/one/{name}") as file:
                file.write(b"x")

        assert ["one"] == list(store.folders("jobs"))
        assert began <= store.last_write("jobs/one") <= time.time()

    def test_a_folder_of_which_nothing_is_known_is_not_old(self, tmp_path):
        """It is kept."""
        assert RemoteStore(f"memory://{tmp_path.name}").last_write("jobs/one") == float("inf")

    def test_what_other_processes_write_is_seen(self):
        """A driver may remember its listings."""
        store = RemoteStore("remembering://store")
        for job_id in ("a", "b"):
            with store.create(f"jobs/{job_id}/names") as file:
                file.write(b"x")
            found = list(store.folders("jobs"))

        assert ["a", "b"] == found
