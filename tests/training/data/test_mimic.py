"""MIMIC-CXR-JPG as PhysioNet publishes it."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from training.data import mimic
from training.data.chexpert_labels import NO_FINDING
from training.data.dataset import DataError

COLUMNS = (*mimic.FINDINGS, NO_FINDING)
SUBJECT, STUDY = "10000032", "50414267"


def write_table(root: Path, name: str, *rows: str) -> None:
    (root / f"mimic-cxr-2.0.0-{name}.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))


def write_study(root: Path, *, view: str = "AP", split: str = "train", **said: str) -> Path:
    """One image `a` of one study; labels by name, with underscores for spaces."""
    values = {name.replace("_", " "): value for name, value in said.items()}
    assert values.keys() <= set(COLUMNS)
    write_table(root, "split", "dicom_id,study_id,subject_id,split", f"a,{STUDY},{SUBJECT},{split}")
    write_table(root, "metadata", "dicom_id,subject_id,study_id,ViewPosition", f"a,{SUBJECT},{STUDY},{view}")
    labels = [f"{SUBJECT},{STUDY}," + ",".join(values.get(name, "") for name in COLUMNS)]
    write_table(root, "chexpert", "subject_id,study_id," + ",".join(COLUMNS), *labels)
    return root


def labels_of(root: Path, **options) -> dict[str, float]:
    dataset = mimic.read(root, **options)
    return dict(zip(dataset.findings, dataset.labels(dataset.rows)[0].tolist(), strict=True))


class TestLabels:
    def test_uncertain_and_not_mentioned_are_unknown(self, tmp_path):
        """Present and absent are what the report says outright."""
        root = write_study(tmp_path, Edema="1.0", Fracture="0.0", Pneumonia="-1.0")

        found = labels_of(root)

        assert {"Edema": 1, "Fracture": 0} == {name: value for name, value in found.items() if not np.isnan(value)}

    def test_no_finding_makes_what_is_not_mentioned_absent(self, tmp_path):
        """Support devices are no disease: they stay where the report names them."""
        root = write_study(tmp_path, No_Finding="1.0", Support_Devices="1.0")

        found = labels_of(root)

        assert {name: float(name == "Support Devices") for name in mimic.FINDINGS} == found

    def test_no_finding_can_be_a_finding(self, tmp_path):
        """The 14th column."""
        assert 1 == labels_of(write_study(tmp_path, No_Finding="1.0"), findings=COLUMNS)[NO_FINDING]

    def test_a_study_without_labels_knows_nothing(self, tmp_path):
        """Eight reports could not be labelled; their images still serve pre-training."""
        root = write_study(tmp_path)
        write_table(root, "chexpert", "subject_id,study_id," + ",".join(COLUMNS))

        assert frozenset() == mimic.read(root).rows[0].known


class TestRows:
    def test_an_image_lies_below_patient_and_study(self, tmp_path):
        """`files/p10/p10000032/s50414267/<dicom_id>.jpg`, also before the images are there."""
        (row,) = mimic.read(write_study(tmp_path, split="validate")).rows

        assert tmp_path / "files/p10/p10000032/s50414267/a.jpg" == row.file
        assert ("mimic:10000032", "val", "AP", False) == (row.patient, row.split, row.view, row.may_ship)

    def test_a_folder_of_resized_images_is_found(self, tmp_path):
        """The official code's is `files_resized_320`; the published `files` comes first where both are there."""
        root = write_study(tmp_path)
        (root / "files_resized_320").mkdir()
        resized = mimic.read(root).rows[0].file
        (root / "files").mkdir()

        assert "files_resized_320" == resized.relative_to(root).parts[0]
        assert "files" == mimic.read(root).rows[0].file.relative_to(root).parts[0]
        assert resized == mimic.read(root, images="files_resized_320").rows[0].file

    @pytest.mark.parametrize("view", ["LATERAL", "LL", "", "AP AXIAL"])
    def test_other_views_are_left_out_and_counted(self, tmp_path, view):
        """243,334 of 377,110 are AP or PA."""
        dataset = mimic.read(write_study(tmp_path, view=view))

        assert () == dataset.rows
        assert {"view other than AP and PA": 1} == dataset.left_out

    def test_every_image_of_a_twin_is_where_the_tables_say(self, twin):
        """Three splits, two views, and files at the end of the paths."""
        rows = mimic.read(twin("mimic")).rows

        assert {"train", "val", "test"} == {row.split for row in rows}
        assert {"AP", "PA"} == {row.view for row in rows}
        assert all(row.file.is_file() for row in rows)


class TestBrokenTables:
    def test_an_empty_folder_is_named(self, tmp_path):
        """With the name that was looked for."""
        with pytest.raises(DataError, match="holds no mimic-cxr"):
            mimic.read(tmp_path)

    def test_an_image_without_a_split_is_named(self, tmp_path):
        """Tables of different releases."""
        root = write_study(tmp_path)
        write_table(root, "split", "dicom_id,study_id,subject_id,split")

        with pytest.raises(DataError, match=r"metadata\.csv\.gz line 2: a is in no split"):
            mimic.read(root)

    def test_a_split_without_an_image_is_named(self, tmp_path):
        """A table that was cut."""
        root = write_study(tmp_path)
        write_table(root, "metadata", "dicom_id,subject_id,study_id,ViewPosition")

        with pytest.raises(DataError, match=r"1 images of .* among them a"):
            mimic.read(root)

    def test_an_unknown_split_is_named(self, tmp_path):
        """Its images would serve nothing."""
        with pytest.raises(DataError, match=r"split\.csv\.gz line 2: the split 'dev' is none of train, validate, test"):
            mimic.read(write_study(tmp_path, split="dev"))

    def test_a_label_of_another_kind_is_named(self, tmp_path):
        """File, line, finding and value."""
        with pytest.raises(DataError, match=r"chexpert\.csv\.gz line 2: Edema is '3'"):
            mimic.read(write_study(tmp_path, Edema="3"))

    def test_a_finding_that_does_not_exist_is_named(self, tmp_path):
        """Spellings differ between data sets."""
        with pytest.raises(DataError, match="no finding 'Effusion'"):
            mimic.read(write_study(tmp_path), findings=("Effusion",))
