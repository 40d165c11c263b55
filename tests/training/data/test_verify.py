"""`verify` counts what is there and names everything that is wrong."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from training.data import covidx
from training.data.catalogue import NAMES, open_dataset
from training.data.dataset import Dataset, Row
from training.data.manifest import read_folder
from training.data.problems import MOST_EXAMPLES
from training.data.published import PUBLISHED
from training.data.report import Mentions, Report
from training.data.report_text import as_text
from training.data.verify import verify


def problems(report: Report) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {problem.what: (problem.total, problem.examples) for problem in report.problems}


def shades(folder: Path, *splits: str) -> Dataset:
    """One image a split given, each of a grey and a patient of its own; Mass in the first one alone."""
    rows = []
    for number, split in enumerate(splits):
        file = folder / f"{number}.png"
        Image.new("L", (8, 6), 10 * number).save(file)
        labels = frozenset({"Mass"}) if number == 0 else frozenset()
        rows.append(Row(file, labels, frozenset({"Mass"}), f"p{number}", split, view="PA", sex="F" if number else ""))
    return Dataset("shades", ("Mass", "Hernia"), tuple(rows))


class TestCounts:
    def test_everything_is_counted_by_split(self, tmp_path):
        """Images, patients, findings, views, sexes, formats and sizes."""
        report = verify(shades(tmp_path, "train", "train", "test", ""), hash_images=True)

        assert {"train": 2, "test": 1, "unsplit": 1} == report.images
        assert {"train": 2, "test": 1, "unsplit": 1} == report.patients
        assert Mentions(present=1, absent=1, unknown=0) == report.findings["Mass"]["train"]
        assert Mentions(present=0, absent=0, unknown=1) == report.findings["Hernia"]["test"]
        assert {"PA": {"train": 2, "test": 1, "unsplit": 1}} == report.views
        assert {"F": {"train": 1, "test": 1, "unsplit": 1}, "unknown": {"train": 1}} == report.sexes
        assert {"png 6 x 8": 4} == report.kinds
        assert () == report.problems

    def test_lists_and_images_are_hashed(self, tmp_path):
        """Two machines can tell whether they have the same data."""
        (tmp_path / "list.txt").write_text("a list")
        dataset = replace(shades(tmp_path, "train", "test"), lists=(tmp_path / "list.txt",))
        lines = [f"{hashlib.sha256(row.file.read_bytes()).hexdigest()}  {row.file.name}\n" for row in dataset.rows]

        report = verify(dataset, hash_images=True, decode=False)

        assert {"list.txt": hashlib.sha256(b"a list").hexdigest()} == report.lists
        assert hashlib.sha256("".join(lines).encode()).hexdigest() == report.images_sha256

    def test_what_was_not_looked_at_is_said(self, tmp_path):
        """No check passes by being left out."""
        dataset = shades(tmp_path, "train")

        neither = verify(dataset, hash_images=False, decode=False)

        assert 2 == len(neither.unchecked)
        assert ("", None, {}) == (neither.images_sha256, neither.repeated, neither.kinds)
        assert () == verify(dataset, hash_images=True).unchecked

    def test_published_numbers_stand_beside_those_found(self, twin):
        """A twin has none of them, and that is no problem: subsets are legitimate."""
        report = verify(open_dataset("chestxray14", twin("chestxray14")), hash_images=False, decode=False)

        (train,) = [one for one in report.published if one.what == "images of train"]
        assert (75_312, report.images["train"]) == (train.published, train.measured)
        assert () == report.problems

    def test_published_numbers_agree_with_each_other(self):
        """What is counted together is the sum of its parts."""
        number = {(one.counted, one.splits): one.number for one in PUBLISHED["chestxray14"]}

        for counted in ("images", "patients"):
            fitting = number[counted, ("train",)] + number[counted, ("val",)]
            assert number[counted, ("train", "val")] == fitting
            assert number[counted, ("train", "val", "test")] == fitting + number[counted, ("test",)]


class TestProblems:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_twin_has_none(self, twin, name):
        """All checks on."""
        assert {} == problems(verify(open_dataset(name, twin(name)), hash_images=True))

    def test_a_missing_file_is_named(self, tmp_path):
        """Whatever else is checked."""
        dataset = shades(tmp_path, "train", "test")
        dataset.rows[1].file.unlink()

        for hash_images, decode in ((False, False), (True, False), (True, True)):
            report = verify(dataset, hash_images=hash_images, decode=decode)
            assert {"images are missing": (1, (str(dataset.rows[1].file),))} == problems(report)

    def test_a_cut_image_is_named_with_what_the_decoder_says(self, tmp_path):
        """A download that broke off."""
        dataset = shades(tmp_path, "train")
        file = dataset.rows[0].file
        file.write_bytes(file.read_bytes()[:40])

        found = problems(verify(dataset, hash_images=False))

        assert {"images cannot be decoded": (1, (f"{file}: the PNG file is damaged or cut",))} == found

    def test_a_folder_in_the_place_of_an_image_is_named(self, tmp_path):
        """It exists, and cannot be read."""
        dataset = shades(tmp_path, "train")
        dataset.rows[0].file.unlink()
        dataset.rows[0].file.mkdir()

        assert 1 == problems(verify(dataset, hash_images=False))["images cannot be read"][0]

    def test_a_file_that_is_listed_twice_is_named(self, tmp_path):
        """It would count double, and looks like two patients."""
        dataset = shades(tmp_path, "train", "test")
        again = replace(dataset.rows[0], patient="p9")

        found = problems(verify(replace(dataset, rows=(*dataset.rows, again)), hash_images=True))

        assert {"files are listed more than once": (1, (str(again.file),))} == found

    def test_a_patient_in_two_splits_is_named(self, tmp_path):
        """Manifests are divided by whoever wrote them."""
        dataset = shades(tmp_path, "train", "val", "test")
        rows = (dataset.rows[0], replace(dataset.rows[1], patient="p0"), dataset.rows[2])

        found = problems(verify(replace(dataset, rows=rows), hash_images=False))

        assert {"patients are in more than one split": (1, ("p0 in train and val",))} == found

    def test_the_same_content_in_two_splits_is_named(self, tmp_path):
        """Under another name and another patient, it is still the same picture."""
        dataset = shades(tmp_path, "train", "test")
        train, test = (row.file for row in dataset.rows)
        test.write_bytes(train.read_bytes())

        report = verify(dataset, hash_images=True)

        assert {"contents are in more than one split": (1, (f"{train} (train) and {test} (test)",))} == problems(report)
        assert 0 == report.repeated
        assert {} == problems(verify(dataset, hash_images=False))

    def test_the_same_content_in_one_split_is_only_counted(self, tmp_path):
        """It wastes a little time and spoils no number."""
        dataset = shades(tmp_path, "train", "train", "train")
        for row in dataset.rows[1:]:
            row.file.write_bytes(dataset.rows[0].file.read_bytes())

        report = verify(dataset, hash_images=True)

        assert (2, ()) == (report.repeated, report.problems)

    def test_exclusive_findings_are_exactly_one_a_row(self, twin):
        """Accuracy has no meaning otherwise."""
        dataset = covidx.read(twin("covidx"))
        none, both = (replace(dataset.rows[0], labels=frozenset(labels)) for labels in ((), ("normal", "pneumonia")))

        found = problems(verify(replace(dataset, rows=(none, both, *dataset.rows[2:])), hash_images=False))

        total, examples = found["images have not exactly one of the exclusive findings"]
        assert 2 == total
        assert (f"{none.file}: none", f"{both.file}: normal, pneumonia") == examples

    def test_no_image_at_all_is_a_problem(self, tmp_path):
        """A header alone is read without complaint."""
        (tmp_path / "manifest.csv").write_text("file,label\n")

        report = verify(read_folder(tmp_path), hash_images=True)

        assert {"data set without a single image": (1, ("manifest",))} == problems(report)
        assert "PROBLEM" in as_text(report)

    def test_only_the_first_cases_are_listed_but_all_are_counted(self, tmp_path):
        """A hundred thousand missing files must not hide another problem."""
        dataset = shades(tmp_path, *["train"] * (MOST_EXAMPLES + 3))
        for row in dataset.rows:
            row.file.unlink()

        report = verify(dataset, hash_images=False)

        assert (MOST_EXAMPLES + 3, MOST_EXAMPLES) == (report.problems[0].total, len(report.problems[0].examples))
        assert "and 3 more" in as_text(report)


class TestRendering:
    def test_the_text_has_every_number(self, twin):
        """Lines of a table end where those above them end."""
        root = twin("chexpert")
        report = verify(open_dataset("chexpert", root), hash_images=True)

        text = as_text(report)

        assert "left out: 8 images, lateral view" in text
        assert "images of test" in text
        assert "differs" in text
        assert "24 images are jpeg 64 x 64" in text
        assert text.endswith("no problems found")
        header, images, _ = text.splitlines()[:3]
        assert len(header) == len(images)

    def test_json_has_every_attribute(self, tmp_path):
        """For a script that compares two machines."""
        report = verify(shades(tmp_path, "train", "test"), hash_images=True)

        read = json.loads(report.as_json())

        assert set(Report.__dataclass_fields__) == set(read)
        assert {"present": 1, "absent": 0, "unknown": 0} == read["findings"]["Mass"]["train"]


def test_the_shared_manifest__has_no_problems(shared):
    """Real radiographs from twenty sources: every file there, no patient in two splits, NIH labels complete."""
    report = verify(read_folder(shared / "data/cxr"), hash_images=False, decode=False)

    assert () == report.problems
    assert {"train": 7192, "val": 706} == report.images
    assert Mentions(present=24, absent=1187, unknown=5981) == report.findings["Hernia"]["train"]
