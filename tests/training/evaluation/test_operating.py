"""Operating points: thresholds chosen as promised, counts as serving would count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from tests.training.evaluation.samples import LABELS_AND_SCORES
from training.evaluation.operating import (
    operating_point,
    pooled,
    youden_threshold,
)


@given(LABELS_AND_SCORES, st.integers(-4, 4))
def test_operating_point__counts_as_scikit_learn_does(pair, threshold):
    """A score that reaches the threshold is positive."""
    labels, scores = pair
    point = operating_point(labels, scores, threshold)

    counts = point.true_negatives, point.false_positives, point.false_negatives, point.true_positives
    assert confusion_matrix(labels, scores >= threshold, labels=[False, True]).ravel().tolist() == list(counts)


def test_operating_point__says_what_it_cannot_say():
    """No positives, and nothing called positive: neither sensitivity nor PPV is 0."""
    point = operating_point(np.array([False, False]), np.array([0.1, 0.2]), 0.5)

    assert (None, 1.0, None, 1.0) == (point.sensitivity, point.specificity, point.ppv, point.npv)


def test_operating_point__has_the_four_shares():
    """Three positives of which two are found, two negatives of which one is spared."""
    point = operating_point(np.array([1, 1, 1, 0, 0], bool), np.array([0.9, 0.8, 0.1, 0.7, 0.2]), 0.5)

    assert (2 / 3, 1 / 2, 2 / 3, 1 / 2) == (point.sensitivity, point.specificity, point.ppv, point.npv)


def test_pooled__adds_counts_and_has_no_threshold():
    """Two findings, each with a positive that is found; of three negatives one is called positive."""
    first = operating_point(np.array([1, 0], bool), np.array([0.9, 0.8]), 0.5)
    second = operating_point(np.array([1, 0, 0], bool), np.array([0.3, 0.1, 0.1]), 0.2)
    both = pooled([first, second])

    assert (1.0, 2 / 3) == (both.sensitivity, both.specificity)
    assert np.isnan(both.threshold)


@given(LABELS_AND_SCORES)
def test_youden_threshold__has_the_largest_sum(pair):
    """No other score does better."""
    labels, scores = pair
    threshold = youden_threshold(labels, scores)
    if labels.all() or not labels.any():
        assert threshold is None
        return

    def total(cut: float) -> float:
        point = operating_point(labels, scores, cut)
        return point.sensitivity + point.specificity

    assert max(total(cut) for cut in [*scores, np.inf]) == pytest.approx(total(threshold))


def test_thresholds__refuse_a_score_that_is_no_number():
    """NaN has no place in an order."""
    with pytest.raises(ValueError, match="NaN"):
        youden_threshold(np.array([True, False]), np.array([np.nan, 0.0]))
