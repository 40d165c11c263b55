"""From maps to a report: perfect and random maps, truth of other pictures, seams."""

import numpy as np
import pytest
from PIL import Image

from models.imaging.geometry import Box, Letterbox
from models.imaging.preprocess import InputContract, ModelInput
from models.labels import CHESTXRAY14
from training.anomaly.benchmark import CLEAN, COMPLETE, Case, normal_groups
from training.anomaly.boxed import box_cases, mark_box
from training.anomaly.methods import ONE_MASK, PRODUCT
from training.anomaly.report import ALL, AP, AUROC, BY_IMAGE, LARGEST_SCORE, MEAN_SCORE, group_report
from training.anomaly.scoring import CHANCE, score_methods, seam_ratio
from training.data.boxes import LabelledBox
from training.data.dataset import Row
from training.evaluation import boxed

SIDE, NUM = 64, 24


def cases() -> list[Case]:
    """Pictures that are their own truth, each clean and with two kinds of spot, at random places."""
    rng = np.random.default_rng(0)
    found = []
    for index in range(NUM):
        row = Row(f"{index}.png", frozenset(), frozenset(), f"p{index}")
        for kind in (CLEAN, "spot", "line"):
            truth = np.zeros((SIDE, SIDE), np.bool_)
            top, left = rng.integers(8, SIDE - 24, 2)
            if kind != CLEAN:
                truth[top : top + (10 if kind == "spot" else 3), left : left + 14] = True
            image = np.where(truth, 200, 100).astype(np.uint8)
            image[:4] = 255  # what stands in the padding does not count
            found.append(Case(row, kind, ModelInput(image, Letterbox(56, SIDE, SIDE)), truth))
    return found


def perfect(inputs):
    """Bright where the anomaly is."""
    return np.stack([(one.image == 200).astype(np.float32) for one in inputs])


def noise(seed: int):
    """Knows nothing."""
    rng = np.random.default_rng(seed)
    return lambda inputs: rng.random((len(inputs), SIDE, SIDE)).astype(np.float32)


@pytest.fixture(name="report", scope="module")
def _report():
    methods = {PRODUCT: perfect, "noise": noise(0), f"{ONE_MASK} 0": noise(1), f"{ONE_MASK} 1": noise(2)}
    return group_report(score_methods(cases(), 3 * NUM, methods, 16), num_resamples=50, seed=0)


def test_report__a_perfect_map_is_perfect(report):
    """Pixels and images, every kind, with nothing to resample."""
    for kind in (ALL, "spot", "line"):
        numbers = report.methods[kind][PRODUCT]
        assert [1] * 5 == [numbers[name].value for name in (AUROC, AP, BY_IMAGE, MEAN_SCORE, LARGEST_SCORE)]
        assert numbers[AUROC].interval is None


def test_report__a_random_map_says_nothing(report):
    """One half, and the prevalence, with an interval."""
    numbers = report.methods[ALL]["noise"]

    assert numbers[AUROC].value == pytest.approx(0.5, abs=0.02)
    assert numbers[AP].value == pytest.approx(report.prevalence[ALL], rel=0.1)
    assert numbers[MEAN_SCORE].value == pytest.approx(0.5, abs=0.2)
    assert numbers[AUROC].interval.low < numbers[AUROC].value < numbers[AUROC].interval.high


def test_report__the_truth_of_another_picture_is_chance(report):
    """A map that only knew where anomalies usually are would stay above."""
    assert report.methods[ALL][CHANCE][AUROC].value == pytest.approx(0.5, abs=0.08)


def test_report__seeds_become_their_mean_and_gains_are_against_it(report):
    """One row for all seeds; the product's difference and ratio with their own intervals."""
    assert {PRODUCT, "noise", ONE_MASK, CHANCE} == set(report.methods[ALL])
    one_mask, gain = report.methods[ALL][ONE_MASK], report.gains[ALL][ONE_MASK]

    assert gain[AUROC].value == pytest.approx(1 - one_mask[AUROC].value)
    assert gain[AP].value == pytest.approx(1 / one_mask[AP].value)
    assert gain[AUROC].interval.low <= gain[AUROC].value <= gain[AUROC].interval.high


def test_report__counts(report):
    """Cases and patients by kind."""
    assert {ALL: 2 * NUM, "spot": NUM, "line": NUM, CLEAN: NUM} == report.cases
    assert report.patients[ALL] == NUM


class TestSeamRatio:
    def test_a_lattice_has_seams(self):
        """A map that is one value a patch steps at borders alone; noise steps everywhere alike."""
        rng = np.random.default_rng(0)
        patches, fine = np.kron(rng.random((4, 4)), np.ones((16, 16))), rng.random((64, 64))
        known = np.ones((64, 64), np.bool_)

        assert seam_ratio(patches + 1e-3 * fine, known, 16) > 100
        assert seam_ratio(fine, known, 16) == pytest.approx(1, abs=0.1)

    def test_padding_takes_no_part(self):
        """A step into it is no seam."""
        ramp = np.add.outer(np.arange(64.0), np.arange(64.0))
        known = np.zeros((64, 64), np.bool_)
        known[:, 16:48] = True

        assert seam_ratio(np.where(known, ramp, 0), known, 16) == pytest.approx(1)
        assert np.isnan(seam_ratio(ramp, np.zeros_like(known), 16))


def test_mark_box__is_where_the_picture_is():
    """The lower right quarter of a landscape picture, in its letterbox."""
    shown = ModelInput(np.zeros((64, 64), np.uint8), Letterbox(100, 200, 64))
    inside = mark_box(Box(0.5, 0.5, 1.0, 1.0), shown)

    assert inside[32:48, 32:].all()
    assert 16 * 32 == inside.sum()


def test_box_cases__all_boxes_of_a_picture_are_one_truth(tmp_path):
    """Two findings in two corners; another picture has its own."""
    files = [tmp_path / name for name in ("a.png", "b.png")]
    for file in files:
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(file)
    corners = (Box(0, 0, 0.5, 0.5), Box(0.5, 0.5, 1, 1))
    boxes = [
        boxed.Case(Row(file, frozenset(), frozenset(), file.name), LabelledBox(file.name, "Mass", corner))
        for file, corner in zip((files[0], files[0], files[1]), (*corners, corners[0]), strict=True)
    ]

    both, one = box_cases(boxes, InputContract(64))

    assert ("a.png", "b.png") == (both.row.patient, one.row.patient)
    assert (32 * 32 * 2, 32 * 32) == (both.truth.sum(), one.truth.sum())
    assert both.truth[:32, :32].all()
    assert both.truth[32:, 32:].all()


def test_normal_groups__have_neither_findings_nor_flags():
    """Those read for all findings come together, others by source; of each the first few."""
    whole, alone = frozenset(CHESTXRAY14), frozenset({"Pneumonia"})
    rows = [
        Row("0", frozenset(), whole, "p", "val", flag="inverted"),
        Row("1", frozenset({"Mass"}), whole, "p", "val"),
        Row("2", frozenset(), whole, "p", "train"),
        Row("3", frozenset(), whole, "p", "val"),
        Row("4", frozenset(), alone, "p", source="kermany"),
        Row("5", frozenset(), alone, "p", source="kermany"),
        Row("6", frozenset(), frozenset(), "p", source="unread"),
    ]

    groups = normal_groups(rows, "val", 1)

    assert {COMPLETE: ["3"], "kermany": ["4"]} == {
        name: [str(row.file) for row in group] for name, group in groups.items()
    }
