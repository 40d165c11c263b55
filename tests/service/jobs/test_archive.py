"""Archives that were made to harm: nothing is read without a bound, and one bad entry costs one row."""

import io
import random
import struct
import tempfile
import zipfile

import pytest

from models.errors import InvalidRequestError, ThorascopeError, UploadTooLargeError
from service.jobs.archive import Archive, is_leftover

_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")


def zipped(compression: int = zipfile.ZIP_DEFLATED, **entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


def directory_of(num_entries: int, *, declared: int, zip64: bool) -> bytes:
    """An archive of so many records, whose end declares another number; with zip64, its old end hides their length."""
    start = b"PK\x03\x04" + bytes(26)
    record = _CENTRAL.pack(b"PK\x01\x02", 20, 0, 20, 0, *[0] * 7, 1, *[0] * 6) + b"a"
    records = record * num_entries
    if not zip64:
        return start + records + _END.pack(b"PK\x05\x06", 0, 0, declared, declared, len(records), len(start), 0)
    end_64 = _END_64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, declared, declared, len(records), len(start))
    locator = _LOCATOR_64.pack(b"PK\x06\x07", 0, len(start) + len(records), 1)
    end = _END.pack(b"PK\x05\x06", 0, 0, declared, declared, len(record), len(start), 0)
    return start + records + end_64 + locator + end


def outcomes(content: bytes) -> dict[str, str | bytes]:
    """What every entry of it comes to: its content, or why it has none."""
    found: dict[str, str | bytes] = {}
    with tempfile.TemporaryFile() as file:
        file.write(content)
        for entry in Archive(file, limit_files=50).entries():
            try:
                found[entry.name] = b"".join(entry.pieces())
            except InvalidRequestError as error:
                found[entry.name] = str(error)
    return found


class TestLimits:
    @pytest.mark.parametrize("zip64", [False, True])
    def test_entries_are_counted_and_not_believed(self, zip64):
        """An end that declares one entry, over a directory of many."""
        with pytest.raises(UploadTooLargeError, match="more than 20 entries"):
            Archive(io.BytesIO(directory_of(21, declared=1, zip64=zip64)), limit_files=20)

    @pytest.mark.parametrize("zip64", [False, True])
    def test_as_many_as_the_limit_are_read(self, zip64):
        """The end may declare fewer; the directory counts."""
        archive = Archive(io.BytesIO(directory_of(20, declared=1, zip64=zip64)), limit_files=20)

        assert 20 == len(list(archive.entries()))

    def test_a_directory_that_is_longer_than_its_entries_need_is_refused(self):
        """It would be held in memory as a whole; the zip64 record says how long it is."""
        with pytest.raises(UploadTooLargeError, match="directory"):
            Archive(io.BytesIO(directory_of(1000, declared=1, zip64=True)), limit_files=20)

    def test_a_zip64_record_that_is_not_where_the_locator_says_refuses_the_archive(self):
        """Readers differ in which of the two they follow."""
        content = bytearray(directory_of(2, declared=2, zip64=True))
        content[-_END.size - 12] ^= 1
        with pytest.raises(InvalidRequestError, match="damaged"):
            Archive(io.BytesIO(bytes(content)), limit_files=20)


class TestEntries:
    @pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_what_cannot_be_unpacked_within_bounds_is_refused(self, compression):
        """bzip2 and LZMA give all that a block holds at once: 2 GB out of a kilobyte."""
        assert "deflate" in outcomes(zipped(compression, a=b"content"))["a"]

    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_what_can_be_is_read(self, compression):
        """The two kinds that archivers write."""
        assert {"a": b"content", "b": b""} == outcomes(zipped(compression, a=b"content", b=b""))

    def test_leftovers_are_passed_over(self):
        """Nobody's radiographs, at any depth."""
        names = ("__MACOSX/._a.png", "a/__MACOSX/b.png", ".DS_Store", "a/Thumbs.db", "a/b/.DS_Store", "a/a.png")

        assert ["a/a.png"] == list(outcomes(zipped(**dict.fromkeys(names, b"x"))))

    @pytest.mark.parametrize("offset", [2**31, 2**63, 2**64 - 1])
    def test_an_entry_that_lies_nowhere_costs_one_row(self, offset):
        """Its record points out of the archive; the others are read."""
        content = bytearray(zipped(a=b"first", b=b"fine"))
        record = content.index(b"PK\x01\x02")
        extra = struct.pack("<HHQ", 1, 8, offset)
        content[record + 42 : record + 46] = b"\xff" * 4
        content[record + 30 : record + 32] = struct.pack("<H", len(extra))
        content[record + 47 : record + 47] = extra
        end = content.rindex(b"PK\x05\x06")
        struct.pack_into("<L", content, end + 12, end - record)

        found = outcomes(bytes(content))
        assert "damaged" in found["a"]
        assert b"fine" == found["b"]

    def test_whatever_is_damaged_is_told_in_our_words(self):
        """Bytes of entries, records and ends, changed at random (fixed seed)."""
        draw = random.Random(1)  # noqa: S311 no secret
        whole = zipped(a=bytes(range(256)) * 3, b=b"x")
        for _ in range(2000):
            content = bytearray(whole)
            for _ in range(draw.choice((1, 2, 4))):
                content[draw.randrange(4, len(content))] = draw.randrange(256)
            try:
                outcomes(bytes(content))
            except ThorascopeError:
                continue


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("thumbs.db", True),
        ("a\\.DS_Store", True),
        ("a/__MACOSX/._b.dcm", True),
        ("__MACOSX", False),
        ("my__MACOSX/a.png", False),
        ("Thumbs.db.png", False),
        (".DS_Store/a.png", False),
    ],
)
def test_is_leftover__goes_by_whole_names(name, expected):
    """Of files, and of that one folder."""
    assert expected is is_leftover(name)
