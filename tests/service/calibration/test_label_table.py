"""A site's labels: the manifest's format, or a column a finding; what is wrong is named by its line."""

import math
from pathlib import Path

import numpy as np
import pytest

from models.errors import InvalidRequestError
from models.labels import CHESTXRAY14
from service.calibration.label_table import read_label_table
from training.data.dataset import label_matrix
from training.data.manifest import read_manifest

FINDINGS = ("Effusion", "Pneumonia", "Mass")


@pytest.fixture
def table(tmp_path):
    """Writes a CSV."""

    def write(text: str) -> Path:
        path: Path = tmp_path / "labels.csv"
        path.write_text(text)
        return path

    return write


def known(values) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]


class TestNames:
    def test_a_table_without_source_is_complete(self, table):
        """What a row does not name is absent."""
        read = read_label_table(table("file,label\na.png,Effusion;Mass\nb.png,No Finding\nc,Unlabelled\n"), FINDINGS)

        assert ("a.png", "b.png") == read.files == read.patients
        assert [[1, 0, 1], [0, 0, 0]] == read.labels.tolist()
        assert 1 == read.num_unlabelled

    def test_a_row_of_a_source_knows_what_it_names(self, table):
        """And no pneumonia where it says No Finding; what the bundle does not know is ignored and counted."""
        text = "file,label,source,nih_index\na,Effusion;COVID-19,x,\nb,No Finding,x,\nc,Mass,x,7.png\nd,Unlabelled,x,\n"
        read = read_label_table(table(text), FINDINGS)

        assert ("a", "b", "c") == read.files
        assert [[1, None, None], [None, 0, None], [0, 0, 1]] == [known(row) for row in read.labels]
        assert (1, {"COVID-19": 1}) == (read.num_unlabelled, dict(read.ignored))

    def test_a_blank_of_a_source_knows_nothing(self, table):
        """It is counted, and used for no finding."""
        read = read_label_table(table("file,label,source\na,Mass,x\nb,,x\n"), FINDINGS)

        assert (("a",), 1) == (read.files, read.num_unlabelled)

    def test_patients_are_named_by_either_column(self, table):
        """As training reads them."""
        text = "file,label,patient_group,patient_id\na,Mass,g,p\nb,Mass,,p\nc,Mass,,\n"

        assert ("g", "p", "c") == read_label_table(table(text), FINDINGS).patients

    def test_it_is_what_training_reads_from_the_same_table(self, shared):
        """Two readers, because service never meets training; one meaning."""
        path = shared / "data" / "cxr" / "manifest.csv"
        rows = [row for row in read_manifest(path) if row.known]
        read = read_label_table(path, CHESTXRAY14)

        assert [row.file for row in rows] == [path.parent / file for file in read.files]
        assert [row.patient for row in rows] == list(read.patients)
        np.testing.assert_array_equal(label_matrix(rows), read.labels)


class TestColumns:
    def test_a_column_a_finding_may_leave_values_unknown(self, table):
        """1, 0 or nothing; other columns are the site's own."""
        read = read_label_table(table("file,Mass,Effusion,ward\na,1,0,3\nb,,1.0,4\nc,,,5\n"), FINDINGS)

        assert ("a", "b") == read.files
        assert [[0, None, 1], [1, None, None]] == [known(row) for row in read.labels]
        assert 1 == read.num_unlabelled


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "needs the column `file`"),
            ("image,label\na,Mass\n", "needs the column `file`"),
            ("file,ward\na,3\n", "needs the column `file`"),
            ("file,label\na,Mass\nb,Gout\n", "line 3: 'Gout' is none of the"),
            ("file,label\na,Mass\na,Mass\n", "line 3: this file stands there already"),
            ("file,label\na,Mass\nb,\n", "line 3: the label is blank; write 'No Finding', or 'Unlabelled'"),
            ("file,label\na, ;\n", "line 2: the label is blank"),
            ("file,label,source,nih_index\na,,x,7.png\n", "line 2: the label is blank"),
            ("file,label\na,Mass;No Finding\n", "line 2: findings stand beside 'No Finding'"),
            ("file,label\na\n", "line 2: not as many fields"),
            ("file,label\na,Mass,3\n", "line 2: not as many fields"),
            ("file,Mass\na,yes\n", "line 2: a finding is 1, 0 or nothing"),
            ('file,label\na,"Mass', "no CSV"),
        ],
    )
    def test_what_is_wrong_is_told(self, table, text, reason):
        """With its line, where there is one."""
        with pytest.raises(InvalidRequestError, match=reason):
            read_label_table(table(text), FINDINGS)

    def test_bytes_that_are_no_text_are_told(self, tmp_path):
        """A spreadsheet, for example; and a file that is not there."""
        (tmp_path / "labels.csv").write_bytes(b"PK\x03\x04\xff\xfe")

        with pytest.raises(InvalidRequestError, match="no CSV"):
            read_label_table(tmp_path / "labels.csv", FINDINGS)
        with pytest.raises(InvalidRequestError, match="No such file"):
            read_label_table(tmp_path / "absent.csv", FINDINGS)
