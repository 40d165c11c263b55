"""Tables are read as they are published, and what is wrong with one is named."""

import gzip

import pytest

from training.data.dataset import DataError
from training.data.tables import last_of, lines, needed, records


class TestRecords:
    def test_columns_come_in_the_order_asked_for(self, tmp_path):
        """Where they stand in the file does not matter; the number of the line comes with them."""
        path = tmp_path / "t.csv"
        path.write_text('a,b,c\n1,2,3\n"4,4",5,6\n')

        assert [(2, ("3", "1")), (3, ("6", "4,4"))] == list(records(path, ("c", "a")))

    def test_an_optional_column_may_be_missing(self, tmp_path):
        """Its fields are then empty."""
        path = tmp_path / "t.csv"
        path.write_text("a,b\n1,2\n")

        assert [(2, ("1", "2", ""))] == list(records(path, ("a",), ("b", "c")))

    @pytest.mark.parametrize("text", ["a,b,\n1,2,\n", "a,b,\n1,2\n", "a,b\n1,2,,\n", "a,b\r\n1,2\r\n\r\n"])
    def test_commas_at_the_end_of_a_line_are_no_columns(self, tmp_path, text):
        """NIH publishes its tables with them."""
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode())

        assert [(2, ("1", "2"))] == list(records(path, ("a", "b")))

    def test_gzip_and_a_byte_order_mark_make_no_difference(self, tmp_path):
        """PhysioNet packs its tables; spreadsheets mark theirs."""
        path = tmp_path / "t.csv.gz"
        path.write_bytes(gzip.compress("\ufeffa,b\n1,2\n".encode()))

        assert [(2, ("1", "2"))] == list(records(path, ("a", "b")))

    @pytest.mark.parametrize("row", ["1", "1,2,3"])
    def test_a_row_of_another_width_is_named_by_its_line(self, tmp_path, row):
        """A lost comma would move every label."""
        path = tmp_path / "t.csv"
        path.write_text(f"a,b\n1,2\n{row}\n")

        with pytest.raises(DataError, match=r"t\.csv line 3: \d fields where the header has 2"):
            list(records(path, ("a", "b")))

    def test_a_missing_column_is_named(self, tmp_path):
        """The first line is the header."""
        path = tmp_path / "t.csv"
        path.write_text("a,b\n1,2\n")

        with pytest.raises(DataError, match=r"t\.csv lacks the columns \['c'\]"):
            list(records(path, ("a", "c")))

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", gzip.compress(b"a\n1\n" * 999)[:40]])
    def test_a_file_that_is_no_table_is_named(self, tmp_path, content):
        """Empty, not text, or cut while it was copied."""
        path = tmp_path / ("t.csv.gz" if content[:2] == b"\x1f\x8b" else "t.csv")
        path.write_bytes(content)

        with pytest.raises(DataError, match=r"t\.csv"):
            list(records(path, ("a",)))

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        """One line, not a traceback."""
        with pytest.raises(DataError, match=r"t\.csv is missing"):
            list(records(tmp_path / "t.csv", ("a",)))


def test_lines__leaves_blank_ones_out_and_counts_them(tmp_path):
    """Messages must point at the line an editor shows."""
    path = tmp_path / "list.txt"
    path.write_bytes(b"a \r\n\r\nb\n")

    assert [(1, "a"), (3, "b")] == list(lines(path))


def test_last_of__is_the_newest_release(tmp_path):
    """`Data_Entry_2017_v2020.csv` follows `Data_Entry_2017.csv`, packed or not."""
    for name in ("Entry_2017.csv", "Entry_2017_v2020.csv.gz"):
        (tmp_path / name).touch()

    assert tmp_path / "Entry_2017_v2020.csv.gz" == last_of(tmp_path, "Entry*.csv", "Entry*.csv.gz")
    assert last_of(tmp_path, "Other*") is None


def test_needed__names_what_was_looked_for_and_where(tmp_path):
    """An empty folder is the commonest mistake."""
    with pytest.raises(DataError, match=r"holds no a\.csv or b\.csv"):
        needed(tmp_path, "a.csv", "b.csv")
