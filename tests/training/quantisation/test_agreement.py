"""When a quantised classifier is taken for the original's equal, and when not."""

from dataclasses import replace

import numpy as np
import pytest

from models.imaging.preprocess import InputContract, prepare
from training.evaluation.bootstrap import Interval
from training.evaluation.scores import Scores
from training.quantisation.agreement import AUROC_LIMIT, IOU_LIMIT, Answers, Pictures, agreement, map_overlaps

NUM = 40
FINDINGS = ("a", "b")


@pytest.fixture(name="pictures", scope="module")
def _pictures():
    one = prepare(np.zeros((16, 16), np.uint8), InputContract(16))
    labels = np.random.Generator(np.random.PCG64(0)).integers(0, 2, (NUM, 2)).astype(np.float32)
    return Pictures([one] * NUM, labels, [f"p{place // 2}" for place in range(NUM)])


def said(logits: np.ndarray, maps: np.ndarray) -> Answers:
    """Both findings are positive everywhere."""
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return Answers(Scores(FINDINGS, logits, probabilities), np.ones(logits.shape, np.bool_), maps)


def judged(pictures, logits_a, maps_a, logits_b, maps_b):
    """Few draws."""
    return agreement(said(logits_a, maps_a), said(logits_b, maps_b), pictures, 0.5, num_resamples=20)


@pytest.fixture(name="logits", scope="module")
def _logits():
    return np.random.Generator(np.random.PCG64(1)).normal(size=(NUM, 2)).astype(np.float32)


@pytest.fixture(name="maps", scope="module")
def _maps():
    return np.random.Generator(np.random.PCG64(2)).random((NUM, 2, 4, 4)).astype(np.float32)


def test_the_same_answers_are_accepted(pictures, logits, maps):
    """Nothing moves; every map is counted."""
    found = judged(pictures, logits, maps, logits, maps)

    assert (0.0, 1.0, 2 * NUM, 0.0, True) == (
        found.auroc_shift,
        found.map_iou,
        found.num_maps,
        found.largest_change,
        found.is_accepted,
    )
    assert (NUM, NUM // 2) == (found.num_images, found.num_patients)


def test_maps_that_moved_are_refused(pictures, logits, maps):
    """However well the logits agree."""
    found = judged(pictures, logits, maps[:, :, ::-1], logits, maps)

    assert (0.0, False) == (found.auroc_shift, found.is_accepted)
    assert found.map_interval.low <= found.map_iou <= found.map_interval.high < IOU_LIMIT


def test_logits_that_changed_places_are_refused(pictures, logits, maps):
    """However well the maps agree."""
    found = judged(pictures, -logits, maps, logits, maps)

    assert abs(found.auroc_shift) > AUROC_LIMIT
    assert (1.0, False) == (found.map_iou, found.is_accepted)


def test_a_gain_beyond_the_limit_is_refused_too(pictures, logits, maps):
    """The limit is on how far it moves: a network that became better by rounding became another."""
    better = logits + 5 * pictures.labels

    found = judged(pictures, better, maps, logits, maps)

    assert found.auroc_shift > AUROC_LIMIT
    assert not found.is_accepted


def test_an_interval_beyond_a_limit_is_refused(pictures, logits, maps):
    """The number may be within by luck: what cannot be told from a change beyond the limit is not shown to be none."""
    same = judged(pictures, logits, maps, logits, maps)
    within, beyond = Interval(-AUROC_LIMIT, AUROC_LIMIT), Interval(-2 * AUROC_LIMIT, AUROC_LIMIT)

    assert replace(same, aurocs=replace(same.aurocs, interval=within)).is_accepted
    assert not replace(same, aurocs=replace(same.aurocs, interval=beyond)).is_accepted
    assert replace(same, map_interval=Interval(IOU_LIMIT, 1.0)).is_accepted
    assert not replace(same, map_interval=Interval(IOU_LIMIT - 0.001, 1.0)).is_accepted


def test_changes_of_probability_and_flipped_calls_are_told(pictures, maps):
    """Of 40 pictures one moves by 0.3, 24 by 0.1, in one finding of two; a quarter of the calls of one finding turn."""
    original = np.full((NUM, 2), 0.5)
    moved = original.copy()
    moved[:24, 0] += 0.1
    moved[24, 1] += 0.3
    called = np.ones((NUM, 2), np.bool_)
    called[: NUM // 4, 1] = False
    after, before = (
        Answers(Scores(FINDINGS, np.log(chance / (1 - chance)).astype(np.float32), chance), positive, maps)
        for chance, positive in ((moved, called), (original, np.ones((NUM, 2), np.bool_)))
    )

    found = agreement(after, before, pictures, 0.5, num_resamples=20)

    assert (0.3, 0.1, 1 / 8) == pytest.approx((found.largest_change, found.median_change, found.flips))


def test_what_is_undefined_is_not_accepted(pictures, logits, maps):
    """No label, or no map: nothing was shown to agree."""
    unknown = replace(pictures, labels=np.full((NUM, 2), np.nan, np.float32))
    flat = np.zeros_like(maps)

    assert (None, False) == (judged(unknown, logits, maps, logits, maps).auroc_shift, False)
    assert not judged(unknown, logits, maps, logits, maps).is_accepted
    assert (None, 0, False) == (
        judged(pictures, logits, flat, logits, flat).map_iou,
        judged(pictures, logits, flat, logits, flat).num_maps,
        judged(pictures, logits, flat, logits, flat).is_accepted,
    )


def test_an_overlap_is_of_what_both_light_up(pictures):
    """Left half against upper half: a quarter in common of three quarters; a map that goes out counts 0."""
    left, upper = np.zeros((1, 2, 16, 16), np.float32), np.zeros((1, 2, 16, 16), np.float32)
    left[..., :8], upper[0, 0, :8] = 1, 1
    wanted = np.ones((1, 2), np.bool_)

    found = map_overlaps(left, upper, wanted, pictures.inputs[:1], 0.5)

    assert [[1 / 3, 0.0]] == found.tolist()
    assert np.isnan(map_overlaps(left, upper, ~wanted, pictures.inputs[:1], 0.5)).all()
