"""Threshold sets keep their promise on the scores that chose them, by the least margin that does."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.runtime.threshold_fit import (
    BALANCED,
    SENSITIVE,
    SPECIFIC,
    fit_thresholds,
    named_sets,
    prevalence,
    sensitive_threshold,
    specific_threshold,
)
from training.evaluation.operating import operating_point

# Coarse scores tie, fine ones do not.
scored = st.lists(
    st.tuples(st.booleans(), st.integers(1, 9).map(lambda n: n / 10) | st.floats(0.001, 0.999)), min_size=2, max_size=60
).filter(lambda rows: len({present for present, _ in rows}) == 2)


def arrays(rows):
    return np.array([score for _, score in rows]), np.array([present for present, _ in rows])


@given(scored)
def test_sensitive__finds_nine_of_ten_and_a_larger_threshold_would_not(rows):
    """The same counts as the largest score that does; the next larger score misses too many."""
    scores, present = arrays(rows)
    threshold = sensitive_threshold(scores, present)
    point = operating_point(present, scores, threshold)

    assert point.sensitivity >= 0.9
    assert 0 < threshold < 1
    golden = max(one for one in scores if operating_point(present, scores, one).sensitivity >= 0.9)
    assert threshold <= golden
    assert operating_point(present, scores, golden).true_positives == point.true_positives
    assert operating_point(present, scores, golden).false_positives == point.false_positives
    if len(larger := scores[scores > golden]):
        assert operating_point(present, scores, larger.min()).sensitivity < 0.9


@given(scored)
@example([(False, 0.9989999999999999), (True, 0.999)])  # nothing lies between them
def test_specific__spares_nineteen_of_twenty_and_a_smaller_threshold_would_not(rows):
    """The same counts as the smallest score that does."""
    scores, present = arrays(rows)
    threshold = specific_threshold(scores, present)
    point = operating_point(present, scores, threshold)

    assert point.specificity >= 0.95
    assert 0 < threshold < 1
    golden = min(one for one in (*scores, np.inf) if operating_point(present, scores, one).specificity >= 0.95)
    assert (point.true_positives, point.false_positives) == (
        operating_point(present, scores, golden).true_positives,
        operating_point(present, scores, golden).false_positives,
    )
    assert operating_point(present, scores, scores[scores < threshold].max(initial=0.0)).specificity < 0.95


def test_thresholds__hold_where_scores_are_rounded_differently():
    """A last digit that another machine computes otherwise moves no image."""
    generator = np.random.default_rng(1)
    present = generator.random(400) < 0.2
    scores = generator.beta(2, 5, 400) + 0.1 * present
    for choose in (sensitive_threshold, specific_threshold):
        threshold = choose(scores, present)
        shaken = scores + generator.uniform(-1e-9, 1e-9, 400)

        assert np.array_equal(scores >= threshold, shaken >= threshold)


def test_fit_thresholds__leaves_out_what_is_unknown_and_what_has_one_kind():
    """NaN, so that nobody takes it for a threshold."""
    labels = np.array([[1, 0, np.nan], [0, 0, np.nan], [1, np.nan, 1], [0, 0, 0]])
    probabilities = np.array([[0.8, 0.5, 0.5], [0.2, 0.5, 0.5], [0.6, 0.5, np.nan], [0.4, 0.5, 0.1]])
    values = fit_thresholds(probabilities, labels)

    assert [BALANCED, SENSITIVE, SPECIFIC] == list(values)
    assert (0.5, 0.5, 0.5) == tuple(values[name][0] for name in values)
    assert all(np.isnan(values[name][1:]).all() for name in values)


def test_prevalence__is_the_share_of_known_labels():
    """One of two, one of three."""
    assert [0.5, 1 / 3] == pytest.approx(prevalence(np.array([[1, 0], [0, 0], [np.nan, 1]])))


def test_balanced__is_where_expected_sensitivity_plus_specificity_is_largest():
    """Of calibrated probabilities: no other cut does better, up to chance."""
    generator = np.random.default_rng(3)
    probabilities = generator.beta(1, 6, (200_000, 1))
    labels = (generator.random(probabilities.shape) < probabilities).astype(float)
    balanced = fit_thresholds(probabilities, labels)[BALANCED][0]

    def youden(cut):
        point = operating_point(labels[:, 0] == 1, probabilities[:, 0], cut)
        return point.sensitivity + point.specificity

    assert max(youden(cut) for cut in np.linspace(0.01, 0.6, 60)) < youden(balanced) + 0.005


def test_named_sets__say_what_they_promise_and_where_positives_are_few():
    """With their number."""
    labels = np.zeros((100, 2))
    labels[:30, 0], labels[:3, 1] = 1, 1
    values = {name: np.array([0.25, 0.5]) for name in (BALANCED, SENSITIVE, SPECIFIC)}
    sets = named_sets(values, labels, ("Effusion", "Hernia"), "100 images")

    assert [BALANCED, SENSITIVE, SPECIFIC] == [one.name for one in sets]
    assert all((0.25, 0.5) == one.values for one in sets)
    assert all("on 100 images" in one.description and one.description.endswith("Hernia (3)") for one in sets)
    assert "0.90" in sets[1].description
    assert "0.95" in sets[2].description
