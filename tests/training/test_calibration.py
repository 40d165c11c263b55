"""Calibrated probabilities: unbiased for each finding, one slope for all."""

import numpy as np
import pytest
from scipy.special import expit

from training.calibration import (
    brier_score,
    calibration_error_by_chance,
    calibration_error_by_finding,
    calibration_error_interval,
    expected_calibration_error,
    fit_pooled,
    prevalence,
    threshold_sets,
)


def sample(num: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits twice too steep, with offsets, and labels drawn from the true probabilities."""
    generator = np.random.default_rng(0)
    true = generator.normal(0, 1.5, (num, 3)) - np.array([0.0, 1.0, 3.0])
    labels = (generator.random(true.shape) < expit(true)).astype(np.float32)
    return 2 * true + np.array([1.0, -1.0, 0.5]), labels


def test_fit_pooled__recovers_slope_and_intercepts():
    """The generating model is in the family: 0.5 and -0.5 * offset."""
    logits, labels = sample()

    fitted = fit_pooled(logits, labels)

    assert [0.5] * 3 == pytest.approx([part.slope for part in fitted], abs=0.03)
    assert [-0.5, 0.5, -0.25] == pytest.approx([part.intercept for part in fitted], abs=0.15)


def test_fit_pooled__gives_each_finding_its_prevalence_on_average():
    """The maximum-likelihood intercept has this property exactly."""
    logits, labels = sample()
    labels[::7, 1] = np.nan

    fitted = fit_pooled(logits, labels)

    known = ~np.isnan(labels)
    for index, part in enumerate(fitted):
        mean = expit(part.slope * logits[:, index] + part.intercept)[known[:, index]].mean()
        assert prevalence(labels)[index] == pytest.approx(mean, abs=1e-3)


def test_fit_pooled__lowers_the_calibration_error():
    """Before: twice too steep."""
    logits, labels = sample()
    fitted = fit_pooled(logits, labels)
    after = expit(np.stack([part.slope * logits[:, i] + part.intercept for i, part in enumerate(fitted)], axis=1))

    assert expected_calibration_error(after, labels) < 0.02 < expected_calibration_error(expit(logits), labels)


def test_fit_pooled__refuses_a_finding_with_one_kind_of_label():
    """Its intercept would run to infinity."""
    logits, labels = sample(50)
    labels[:, 2] = 0

    with pytest.raises(ValueError, match="without positives"):
        fit_pooled(logits, labels)


def test_fit_pooled__refuses_scores_that_run_against_the_labels():
    """A negative slope would reverse the order of the probabilities."""
    logits, labels = sample()

    with pytest.raises(ValueError, match="against"):
        fit_pooled(-logits, labels)


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


def test_calibration_error_interval__draws_patients():
    """Two images a patient, alike: wider than if each were a patient of its own, and the same for the same seed."""
    probabilities = np.repeat(np.random.default_rng(2).beta(1, 4, (150, 2)), 2, axis=0)
    drawn = np.random.default_rng(3).random((150, 2))
    labels = (np.repeat(drawn, 2, axis=0) < probabilities / 2).astype(np.float32)
    names = [str(number) for number in range(300)]
    together, apart = (
        calibration_error_interval(probabilities, labels, patients, num_resamples=200)
        for patients in ([str(number // 2) for number in range(300)], names)
    )

    assert 0 < together.low < together.high < 1
    assert together.high - together.low > apart.high - apart.low
    assert apart == calibration_error_interval(probabilities, labels, names, num_resamples=200)


def test_threshold_sets__refuse_a_finding_with_one_kind_of_label():
    """By its name."""
    labels = np.array([[1, 0], [0, 0]])

    with pytest.raises(ValueError, match="Hernia"):
        threshold_sets(np.full((2, 2), 0.5), labels, ("Effusion", "Hernia"), "2 images")
