"""Calibrated probabilities: unbiased for each finding, one slope for all."""

import numpy as np
import pytest
from scipy.special import expit

from models.runtime.calibration_error import expected_calibration_error
from models.runtime.calibration_fit import fit_pooled
from models.runtime.threshold_fit import prevalence


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
