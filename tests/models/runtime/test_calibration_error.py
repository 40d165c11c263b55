"""How far probabilities are from observed shares: by finding, pooled, and by chance alone."""

import numpy as np
import pytest

from models.runtime.calibration_error import (
    brier_score,
    calibration_error_by_chance,
    calibration_error_by_finding,
    expected_calibration_error,
)


def test_calibration_error_by_finding__is_that_of_the_column_alone():
    """One finding is off by 0.2, the other by nothing; one is not known at all, one has no probability."""
    labels = np.array([[1, 1, np.nan, 1], [0, 0, np.nan, 0]] * 5, np.float32)
    probabilities = np.tile([0.7, 0.5, 0.5, np.nan], (10, 1))

    errors = calibration_error_by_finding(probabilities, labels, bins=1)

    assert [pytest.approx(0.2), pytest.approx(0.0), None, None] == list(errors)


def test_brier_score__is_the_mean_squared_distance():
    """Over what has both a label and a probability."""
    labels = np.array([[1, 0], [np.nan, 1]], np.float32)
    probabilities = np.array([[0.9, 0.3], [0.5, np.nan]])

    assert (0.1**2 + 0.3**2) / 2 == pytest.approx(brier_score(probabilities, labels))


def test_brier_score__of_the_prevalence_is_its_variance():
    """What a constant answer reaches: p (1 - p)."""
    labels = np.array([1.0] * 3 + [0.0] * 7)

    assert 0.3 * 0.7 == pytest.approx(brier_score(np.full(10, 0.3), labels))


def test_brier_score__of_nothing_is_undefined():
    """Not 0, which would be perfect."""
    assert brier_score(np.array([0.5]), np.array([np.nan])) is None


def test_expected_calibration_error__is_of_no_order_where_probabilities_are_equal():
    """A constant 0.5 at a prevalence of 0.5 is right, whether the rows are sorted by label or not."""
    labels = np.repeat([0.0, 1.0], 50)

    for order in (np.arange(100), np.random.default_rng(0).permutation(100)):
        assert expected_calibration_error(np.full(100, 0.5), labels[order]) == pytest.approx(0, abs=1e-12)


def test_calibration_error_by_chance__is_what_right_probabilities_show():
    """Fewer images, more of it; a wrong calibration shows more than chance."""
    probabilities = np.random.default_rng(2).beta(1, 4, (400, 3))
    draws = (np.random.default_rng(3).random((50, *probabilities.shape)) < probabilities).astype(np.float32)
    labels = draws[0]
    by_chance = calibration_error_by_chance(probabilities, labels)

    assert by_chance < calibration_error_by_chance(probabilities[:50], labels[:50]) / 2
    mean = np.mean([expected_calibration_error(probabilities, drawn) for drawn in draws])
    assert mean == pytest.approx(by_chance, rel=0.1)
    assert expected_calibration_error(probabilities / 2, labels) > 3 * calibration_error_by_chance(
        probabilities / 2, labels
    )
