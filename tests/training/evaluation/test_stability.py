"""`python -m training stability`: what moves, by how much, and what must not move at all."""

import json

import numpy as np
import pytest
from PIL import Image

from models.imaging.phantom import draw
from tests.dicom_samples import dataset, written
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from tests.training.tiny import write_manifest_csv
from training.data.dataset import DataError
from training.evaluation.bootstrap import Resampling
from training.evaluation.bundle_model import BundleModel
from training.evaluation.perturbations import PERTURBATIONS
from training.evaluation.stability import WORST, Median, change, changes


@pytest.fixture(name="site")
def _site(tmp_path):
    """A manifest of phantoms, six of them in `val`, with a bundle beside it."""
    write_manifest_csv(tmp_path)
    write_tiny_bundle(tmp_path / "bundle", untrained=("Hernia",))
    return tmp_path


@pytest.fixture(name="model")
def _model(site):
    return BundleModel(site / "bundle", threads=1)


def arguments(site, *more: object) -> list[object]:
    """The bundle on the manifest, few draws."""
    options = ["--data", site / "manifest.csv", "--resamples", 20, "--threads", 1, "--out", site / "out"]
    return [site / "bundle", *options, *more]


def by_patient(num: int) -> Resampling:
    """As many patients as images."""
    return Resampling.by_patient([str(place) for place in range(num)], 50, 0)


class TestChange:
    def test_states_the_largest_and_both_medians(self, model):
        """Over images of each image's largest change, and over all pairs; the untrained finding takes no part."""
        before = np.full((3, 14), 0.5)
        before[:, -1] = np.nan
        after = before.copy()
        after[0, 0], after[1, :13], after[2, 5] = 0.6, 0.52, 0.3

        row = change("x", model, (before, after), by_patient(3))

        assert (3, 39) == (row.num_images, row.num_pairs)
        assert (0.2, 0.1, 0.0) == pytest.approx((row.largest, row.by_image.value, row.by_pair.value))
        assert 0 <= row.by_image.interval.low <= 0.1 <= row.by_image.interval.high

    def test_draws_patients_not_images(self, model):
        """Ten images of each patient, all alike, say no more than one: the intervals must not shrink."""
        before = np.full((5, 14), 0.5)
        after = before + np.arange(5)[:, None] / 10

        def medians(times: int) -> tuple[Median, Median]:
            answers = np.tile(before, (times, 1)), np.tile(after, (times, 1))
            row = change("x", model, answers, Resampling.by_patient(list("abcde") * times, 50, 0))
            return row.by_image, row.by_pair

        assert medians(1) == medians(10)

    def test_counts_answers_that_cross_the_threshold(self, model):
        """Effusion's threshold is 0.28 in the tiny bundle: reaching it is positive."""
        before, after = np.full((2, 14), 0.9), np.full((2, 14), 0.9)
        before[0, 2], after[0, 2] = 0.27, 0.28
        before[1, 2], after[1, 2] = 0.26, 0.27

        assert 1 / 28 == change("x", model, (before, after), by_patient(2)).flips

    def test_is_a_fault_where_the_same_pixels_get_another_answer(self, model):
        """However little it is."""
        before, after = np.full((2, 14), 0.5), np.full((2, 14), 0.5)
        after[1, 3] += 1e-12

        assert [True, False] == [
            change("x", model, (before, after), by_patient(2), is_lossless=same).is_faulty for same in (True, False)
        ]

    def test_the_worst_row_takes_each_pair_where_it_moves_most(self, model):
        """Whichever perturbation it is."""
        generator = np.random.Generator(np.random.PCG64(0))
        answers = generator.random((1 + len(PERTURBATIONS), 4, 14))
        answers[1] = answers[0]

        *rows, worst = changes(model, answers, by_patient(4))

        assert WORST == worst.name
        assert max(row.largest for row in rows) == worst.largest
        assert worst.by_pair.value == np.median(np.abs(answers[1:] - answers[0]).max(axis=0))


class TestCommand:
    def test_a_row_for_every_change(self, site, capsys):
        """Printed and written; PNG changes nothing, brightness something."""
        assert run("stability", *arguments(site))

        text = capsys.readouterr().out
        assert "6 images of 6 patients; intervals from 20 bootstrap draws of patients, seed 0." in text
        assert text == (site / "out" / "stability.md").read_text()
        report = json.loads((site / "out" / "stability.json").read_text())
        rows = {row["change"]: row for row in report["changes"]}
        assert [one.name for one in PERTURBATIONS] == list(rows)[:-1]
        assert (0.0, None) == (rows["PNG"]["largest"], rows["PNG"]["median_by_image"]["interval"])
        assert 0.001 < rows["brightness +5 %"]["median_by_image"]["value"] <= rows["brightness +5 %"]["largest"]
        assert f" {rows['brightness +5 %']['largest']:.4f} |" in text

    def test_the_goal_is_judged_row_by_row(self, site, capsys):
        """The tiny bundle follows brightness closely, and is said to miss the goal."""
        run("stability", *arguments(site))

        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Goal, "))
        assert "missed by" in line
        assert "brightness +5 %" in line
        assert "PNG" not in line

    def test_files_with_the_same_pixels_get_the_same_answer(self, site, capsys):
        """DICOM against its PNG, and one picture in two files."""
        pixels = draw(0, 96, 80)
        (site / "a.dcm").write_bytes(written(dataset(pixels)))
        Image.fromarray(pixels).save(site / "a.png")

        assert run("stability", *arguments(site, "--dicom", site / "a.dcm", "--twins", site / "a.dcm", site / "a.png"))

        last = json.loads((site / "out" / "stability.json").read_text())["changes"][-2:]
        assert [("8-bit PNG of a DICOM file", 1, 0.0), ("the same picture in another file", 1, 0.0)] == [
            (row["change"], row["images"], row["largest"]) for row in last
        ]

    def test_twins_that_are_none_fail_the_command(self, site, capsys):
        """A reader that lost something would look like this."""
        Image.fromarray(draw(0, 96, 80)).save(site / "a.png")
        Image.fromarray(draw(1, 96, 80)).save(site / "b.png")

        assert not run("stability", *arguments(site, "--twins", site / "a.png", site / "b.png"))

        assert "FAULT: the same picture in another file" in capsys.readouterr().out

    def test_limit_spreads_over_the_rows(self, site, capsys):
        """And is said."""
        run("stability", *arguments(site, "--limit", 2))

        assert "2 images of 2 patients" in capsys.readouterr().out

    def test_a_single_twin_is_refused(self, site):
        """There is nothing to compare it with."""
        with pytest.raises(ValueError, match="--twins takes two files or more"):
            run("stability", *arguments(site, "--twins", site / "0.png"))

    def test_a_file_that_does_not_decode_is_named(self, site):
        """Rather than left out."""
        (site / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")

        with pytest.raises(DataError, match=r"0\.png"):
            run("stability", *arguments(site))

    def test_a_folder_that_is_no_bundle_is_named(self, site):
        """The message says what it lacks."""
        _, *rest = arguments(site)

        with pytest.raises(ValueError, match=r"holds no bundle\.json"):
            run("stability", site, *rest)
