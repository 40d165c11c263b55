"""Average precision is scikit-learn's, and undefined without positives."""

import numpy as np
import pytest
from hypothesis import given

from tests.training.evaluation.samples import LABELS_AND_SCORES
from training.evaluation.precision_recall import average_precision


@given(LABELS_AND_SCORES)
def test_average_precision__is_the_sum_over_steps(pair):
    """Precision at every distinct score, weighted with the positives that it adds."""
    labels, scores = pair
    if not labels.any():
        assert average_precision(labels, scores) is None
        return
    steps = [
        (labels & (scores == level)).sum() / labels.sum() * labels[scores >= level].mean() for level in set(scores)
    ]

    assert sum(steps) == pytest.approx(average_precision(labels, scores))


def test_average_precision__of_a_constant_is_the_prevalence():
    """What says nothing reaches no more."""
    assert 0.25 == average_precision(np.array([True, False, False, False]), np.zeros(4))


def test_average_precision__refuses_a_score_that_is_no_number():
    """As AUROC does."""
    with pytest.raises(ValueError, match="NaN"):
        average_precision(np.array([True, False]), np.array([np.nan, 0.0]))
