"""Uploads at an address of fsspec: files that are on their way at the same time."""

import pytest

from service.jobs.remote_store import RemoteStore


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
