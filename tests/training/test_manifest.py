"""What a manifest says, and what it leaves unknown."""

import csv
from pathlib import Path

import numpy as np
import pytest

from models.labels import CHESTXRAY14
from training.data.dataset import DataError, Row, label_matrix, without_patients_of
from training.data.manifest import read_folder, read_manifest


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def record(**values: str) -> dict[str, str]:
    base = {"file": "a.png", "label": "", "source": "somewhere", "nih_index": "", "patient_group": "p", "has_bbox": ""}
    return base | values


class TestLabels:
    def test_an_nih_row_knows_all_14(self, tmp_path):
        """ChestX-ray14 was labelled for all of its findings: what is not named is absent."""
        path = write_csv(tmp_path / "m.csv", [record(label="Mass;Hernia", nih_index="1.png")])

        labels = label_matrix(read_manifest(path))

        assert {"Mass", "Hernia"} == {name for name, value in zip(CHESTXRAY14, labels[0], strict=True) if value == 1}
        assert not np.isnan(labels).any()

    def test_another_source_knows_what_it_names_and_nothing_else(self, tmp_path):
        """A pneumonia data set says nothing about hernias."""
        path = write_csv(tmp_path / "m.csv", [record(label="Pneumonia"), record(label="No Finding")])

        labels = label_matrix(read_manifest(path))

        pneumonia = CHESTXRAY14.index("Pneumonia")
        assert [1, 0] == labels[:, pneumonia].tolist()
        assert np.isnan(np.delete(labels, pneumonia, axis=1)).all()

    def test_unlabelled_rows_know_nothing(self, tmp_path):
        """They serve pre-training."""
        path = write_csv(tmp_path / "m.csv", [record(label="Unlabelled", nih_index="1.png")])

        assert np.isnan(label_matrix(read_manifest(path))).all()

    def test_a_plain_table_of_file_and_label_is_complete(self, tmp_path):
        """A site's own CSV needs two columns."""
        path = write_csv(tmp_path / "m.csv", [{"file": "a.png", "label": "Edema"}])

        (row,) = read_manifest(path)

        assert tmp_path / "a.png" == row.file
        assert row.may_ship
        assert 1 == np.nansum(label_matrix([row]))

    def test_spaces_round_names_mean_nothing(self, tmp_path):
        """People write lists with spaces; a finding must not get lost over one."""
        path = write_csv(tmp_path / "m.csv", [record(label="Effusion; Mass "), record(label=" No Finding")])

        found, normal = read_manifest(path)

        assert {"Effusion", "Mass"} == found.labels
        assert {"Pneumonia"} == normal.known

    @pytest.mark.parametrize(("text", "age"), [("61", 61.0), ("", None), ("old", None), ("nan", None), ("inf", None)])
    def test_an_age_is_a_number_or_unknown(self, tmp_path, text, age):
        """NaN is how tables of pandas say that they do not know; it is in no age group."""
        (row,) = read_manifest(write_csv(tmp_path / "m.csv", [record(age=text)]))

        assert age == row.age_years

    def test_a_table_without_labels_is_refused(self, tmp_path):
        """The missing column is named."""
        path = write_csv(tmp_path / "m.csv", [{"file": "a.png"}])

        with pytest.raises(ValueError, match="label"):
            read_manifest(path)

    def test_a_complete_row_may_name_nothing_but_the_14_findings(self, tmp_path):
        """A misspelt finding would be read as its absence."""
        path = write_csv(tmp_path / "m.csv", [{"file": "a.png", "label": "Edema"}, {"file": "b.png", "label": "edema"}])

        with pytest.raises(DataError, match=r"m\.csv line 3: 'edema' is none of the 14 findings"):
            read_manifest(path)

    @pytest.mark.parametrize(
        ("label", "reason"), [("", "the label is blank"), ("No Finding;Mass", "findings stand beside 'No Finding'")]
    )
    def test_a_complete_row_says_what_it_knows(self, tmp_path, label, reason):
        """A blank is no "No Finding", and nobody has both."""
        with pytest.raises(DataError, match=rf"m\.csv line 2: {reason}"):
            read_manifest(write_csv(tmp_path / "m.csv", [{"file": "a.png", "label": label}]))

    def test_another_source_may_name_anything(self, tmp_path):
        """COVID-19 is none of the 14, and such a row says nothing about them."""
        (row,) = read_manifest(write_csv(tmp_path / "m.csv", [record(label="COVID-19")]))

        assert frozenset() == row.known


class TestTable:
    def test_a_split_that_does_not_exist_is_named(self, tmp_path):
        """Its rows would serve nothing, and nobody would notice."""
        path = write_csv(tmp_path / "m.csv", [record(split="train"), record(split="validation")])

        with pytest.raises(DataError, match=r"m\.csv line 3: the split 'validation' is none of train, val, test"):
            read_manifest(path)

    @pytest.mark.parametrize("line", ["a.png", "a.png,Mass,train"])
    def test_a_row_of_another_width_is_named(self, tmp_path, line):
        """A lost comma moves every value behind it."""
        (tmp_path / "m.csv").write_text(f"file,label\n{line}\n")

        with pytest.raises(DataError, match=r"m\.csv line 2: not as many fields"):
            read_manifest(tmp_path / "m.csv")

    def test_a_missing_file_is_named(self, tmp_path):
        """One line, not a traceback."""
        with pytest.raises(DataError, match=r"m\.csv is missing"):
            read_manifest(tmp_path / "m.csv")

    @pytest.mark.parametrize(
        ("splits", "message"),
        [(("train", "val"), "two splits"), (("train", ""), "some rows have a split, others none")],
    )
    def test_a_patient_on_both_sides_is_refused(self, tmp_path, splits, message):
        """By every command, since all read the table here."""
        path = write_csv(tmp_path / "m.csv", [record(split=split, patient_group="p") for split in splits])

        with pytest.raises(DataError, match=message):
            read_folder(path)

    def test_a_table_that_is_no_utf_8_is_named(self, tmp_path):
        """As some spreadsheets write them."""
        (tmp_path / "m.csv").write_bytes("file,label\nbö.png,Mass\n".encode("latin-1"))

        with pytest.raises(DataError, match=r"m\.csv is not in UTF-8"):
            read_manifest(tmp_path / "m.csv")

    def test_a_table_with_another_delimiter_shows_what_was_read(self, tmp_path):
        """So that its writer sees why the columns are not there."""
        (tmp_path / "m.csv").write_text("file;label\na.png;Mass\n")

        with pytest.raises(DataError, match=r"lacks the columns \['file', 'label'\]; cut at commas, it has file;label"):
            read_manifest(tmp_path / "m.csv")

    def test_a_folder_stands_for_its_manifest(self, tmp_path):
        """As the other data sets are named by their folders."""
        path = write_csv(tmp_path / "manifest.csv", [record(label="Mass")])

        assert read_folder(path) == read_folder(tmp_path)
        assert (path,) == read_folder(tmp_path).lists


def test_without_patients_of__leaves_no_image_of_an_excluded_patient(tmp_path):
    """A patient's other images go too."""
    path = write_csv(
        tmp_path / "m.csv",
        [record(patient_group="a", has_bbox="1"), record(patient_group="a"), record(patient_group="b")],
    )
    rows = read_manifest(path)

    kept = without_patients_of(rows, [row for row in rows if row.has_box])

    assert ["b"] == [row.patient for row in kept]


def test_the_shared_manifest__keeps_patients_on_one_side(shared):
    """Held-out numbers are worth something only if no patient is on both sides."""
    rows = read_manifest(shared / "data/cxr/manifest.csv")

    train = {row.patient for row in rows if row.split == "train"}
    val = {row.patient for row in rows if row.split == "val"}

    assert train
    assert val
    assert not train & val


@pytest.mark.parametrize(("asked", "known"), [("Effusion", "Pleural Effusion"), ("Pleural Effusion", "Effusion")])
def test_label_matrix__knows_a_finding_by_its_other_name(asked, known):
    """ChestX-ray14's and CheXpert's."""
    rows = [Row(Path(), frozenset(labels), frozenset([known]), "p") for labels in ([known], [])]

    assert [[1.0], [0.0]] == label_matrix(rows, [asked]).tolist()
