"""Twins have the files of the real data sets, and labels that can be seen."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import chexpert
from training.data.boxes import read_boxes
from training.data.catalogue import NAMES, open_dataset
from training.data.dataset import DataError
from training.data.twin_patients import slots
from training.data.twin_pictures import Painter
from training.data.twins import FEWEST, write_twin
from training.metrics import auroc

LIMIT_BYTES = 8192  # of a picture: a thousand of them are a few megabytes
VISIBLE_AUROC = 0.8  # of the mean brightness of a place, where 0.5 is chance; over bright tissue, spots saturate


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
class TestEveryTwin:
    def test_the_same_seed_gives_the_same_files(self, tmp_path, name):
        """Byte by byte, packed tables included; another seed gives others."""
        first, second, other = (
            contents(write_twin(name, tmp_path / str(number), num=FEWEST, seed=seed))
            for number, seed in enumerate((1, 1, 2))
        )

        assert first == second
        assert first != other

    def test_the_smallest_has_patients_in_every_split(self, tmp_path, name):
        """A smoke run trains, validates and tests."""
        dataset = open_dataset(name, write_twin(name, tmp_path / name, num=FEWEST, seed=0))

        assert FEWEST == len(dataset.rows)
        assert {"train", "val", "test"} == {row.split for row in dataset.rows}
        assert len({row.patient for row in dataset.rows}) < FEWEST

    def test_pictures_are_small(self, twin, name):
        """Tests write many of them."""
        rows = open_dataset(name, twin(name)).rows

        assert LIMIT_BYTES > max(row.file.stat().st_size for row in rows)

    def test_findings_can_be_seen(self, tmp_path, name):
        """A network that learns beats chance: the place of a finding is bright where it is present.

        Uncertain ones, of which half are painted, are left out.
        """
        options = {"policy": "ignore"} if name == "chexpert" else {}
        dataset = open_dataset(name, write_twin(name, tmp_path / name, num=96, seed=0), **options)
        labels = dataset.labels(dataset.rows)
        images = np.stack([np.asarray(Image.open(row.file).convert("L")) for row in dataset.rows])
        vocabulary = {"chexpert": chexpert.FINDINGS, "mimic": (*dataset.findings, "No Finding")}
        painter = Painter(vocabulary.get(name, dataset.findings), np.random.default_rng(0))

        for finding, said in zip(dataset.findings, labels.T, strict=True):
            if not (said == 1).any():
                continue  # COVIDx 9A calls nothing "positive"
            box = painter.place(finding)
            top, left, bottom, right = (round(edge * 64) for edge in (box.top, box.left, box.bottom, box.right))
            shown = images[:, top:bottom, left:right].mean(axis=(1, 2)).astype(np.float32)
            known = ~np.isnan(said)
            found = auroc(said[known] == 1, shown[known])
            assert found is not None
            assert found > VISIBLE_AUROC, finding

    def test_a_folder_with_something_in_it_is_refused(self, tmp_path, name):
        """Nobody's data are overwritten."""
        (tmp_path / "mine").touch()

        with pytest.raises(DataError, match="is not empty"):
            write_twin(name, tmp_path, num=FEWEST, seed=0)


class TestPublishedValues:
    def test_chexpert_labels_take_all_four(self, twin):
        """Present, absent, uncertain and blank; views of both kinds; a test list without metadata."""
        root = twin("chexpert")
        with (root / "train.csv").open() as stream:
            rows = list(csv.DictReader(stream))

        assert {"1.0", "0.0", "-1.0", ""} == {row[finding] for row in rows for finding in chexpert.TASKS}
        assert {"1.0", ""} == {row["No Finding"] for row in rows}
        assert {"Frontal", "Lateral"} == {row["Frontal/Lateral"] for row in rows}
        assert "Sex" not in (root / "test.csv").read_text().splitlines()[0]

    def test_mimic_has_a_study_without_labels(self, twin):
        """As eight of the real ones."""
        root = twin("mimic")
        with gzip.open(root / "mimic-cxr-2.0.0-metadata.csv.gz", "rt") as stream:
            studies = {row["study_id"] for row in csv.DictReader(stream)}
        with gzip.open(root / "mimic-cxr-2.0.0-chexpert.csv.gz", "rt") as stream:
            labelled = {row["study_id"] for row in csv.DictReader(stream)}

        assert 1 == len(studies - labelled)

    def test_chestxray14_boxes_are_where_the_spots_are(self, twin):
        """Localisation can be measured: the brightest place of the picture lies in one of its boxes, or near."""
        root = twin("chestxray14")
        boxes = read_boxes(root / "BBox_List_2017.csv")
        rows = {row.file.name: row for row in open_dataset("chestxray14", root).rows}
        painter = Painter(open_dataset("chestxray14", root).findings, np.random.default_rng(0))

        assert boxes
        assert "Infiltrate," in (root / "BBox_List_2017.csv").read_text()
        for box in boxes:
            expected = painter.place(box.finding)
            edges = (box.box.top, box.box.left, box.box.bottom, box.box.right)
            assert (expected.top, expected.left, expected.bottom, expected.right) == pytest.approx(edges)
            assert box.finding in rows[box.file].labels
            assert "test" == rows[box.file].split


class TestPlaces:
    @pytest.mark.parametrize("num", [1, 4, 13, 14])
    def test_findings_never_share_a_place(self, num):
        """Otherwise one would be learned for the other."""
        names = [str(number) for number in range(num)]
        painter = Painter(names, np.random.default_rng(0))

        places = [painter.place(name) for name in names]

        for number, one in enumerate(places):
            assert 0 <= one.top < one.bottom <= 1
            assert 0 <= one.left < one.right <= 1
            for other in places[:number]:
                apart = one.top >= other.bottom or other.top >= one.bottom
                assert apart or one.left >= other.right or other.left >= one.right


def test_slots__skip_patients_who_would_go_elsewhere():
    """Numbers rise, nobody is in two splits, and the held out ones are where the reader will put them."""
    made = list(slots(60, lambda patient: patient % 7 == 0))

    assert 60 == len(made)
    assert sorted(slot.patient for slot in made) == [slot.patient for slot in made]
    assert all((slot.patient % 7 == 0) == (slot.split == "val") for slot in made if slot.split != "test")
    assert {1, 2, 3} == {sum(slot.patient == one for slot in made) for one in {slot.patient for slot in made[:50]}}


@pytest.mark.parametrize(("name", "num", "complaint"), [("padchest", 20, "no data set"), ("mimic", 3, "at least 12")])
def test_write_twin__names_what_it_cannot_do(tmp_path, name, num, complaint):
    """Before anything is written."""
    with pytest.raises(DataError, match=complaint):
        write_twin(name, tmp_path / "twin", num=num, seed=0)

    assert not (tmp_path / "twin").exists()
