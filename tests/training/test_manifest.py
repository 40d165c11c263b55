"""What a manifest says, and what it leaves unknown."""

import csv
from pathlib import Path

import numpy as np
import pytest

from models.labels import CHESTXRAY14
from training.data.dataset import label_matrix, without_patients_of
from training.data.manifest import read_manifest


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

    def test_a_table_without_labels_is_refused(self, tmp_path):
        """The missing column is named."""
        path = write_csv(tmp_path / "m.csv", [{"file": "a.png"}])

        with pytest.raises(ValueError, match="label"):
            read_manifest(path)


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
