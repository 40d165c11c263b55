"""Fitted calibration: what scikit-learn fits, what was put in, and no nonsense where data are few."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.runtime.calibration_fit import (
    OWN_SLOPE_POSITIVES,
    SlopePrior,
    fit_calibration,
    fit_pooled,
    fit_slope,
    has_own_slope,
)

GOLDEN_TOLERANCE = 1e-5  # scikit-learn stops at a gradient of 1e-10 of the mean loss


def sample(num: int = 4000, slopes: tuple[float, ...] = (0.5, 0.5, 0.5)) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose calibration is the slopes given and the intercepts 0, -1, -2.5, and labels drawn accordingly."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3.0, (num, 3)) + np.array([1.0, -1.0, 0.5])
    truth = expit(np.array(slopes) * logits + np.array([0.0, -1.0, -2.5]))
    return logits, (generator.random(logits.shape) < truth).astype(np.float32)


class TestFitSlope:
    @pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.01, 3.0), (1000.0, -500.0)])
    def test_one_finding_is_scikit_learns_logistic_regression(self, scale, offset):
        """Unregularised, in whatever unit the logits come."""
        logits, labels = sample(600)
        column = (logits[:, 1:2] * scale + offset).astype(np.float64)
        fitted = fit_slope(column, labels[:, 1:2])
        standard = (column - offset) / scale
        golden = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(standard, labels[:, 1])

        assert golden.coef_[0, 0] == pytest.approx(fitted.slope * scale, abs=GOLDEN_TOLERANCE)
        assert golden.intercept_[0] == pytest.approx(fitted.intercepts[0] + fitted.slope * offset, abs=GOLDEN_TOLERANCE)

    def test_pooled_findings_are_one_regression_with_an_indicator_each(self):
        """What is unknown takes no part."""
        logits, labels = sample(600)
        labels[::5, 0] = np.nan
        labels[1::7, 2] = np.nan
        fitted = fit_slope(logits, labels)
        known = ~np.isnan(labels)
        design = np.column_stack([logits[known], np.broadcast_to(np.eye(3), (600, 3, 3))[known]])
        golden = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000, fit_intercept=False).fit(design, labels[known])

        expected = golden.coef_[0]
        assert [*expected] == pytest.approx([fitted.slope, *fitted.intercepts], abs=GOLDEN_TOLERANCE)

    def test_the_mean_probability_is_the_observed_share(self):
        """With a prior, too: it holds for any slope."""
        logits, labels = sample(300)
        fitted = fit_slope(logits, labels, SlopePrior(3.0, 0.01))

        assert 3.0 == pytest.approx(fitted.slope, abs=0.1)
        assert labels.mean(axis=0) == pytest.approx(expit(fitted.slope * logits + fitted.intercepts).mean(axis=0))

    def test_perfect_separation_has_a_reasonable_slope_with_a_prior(self):
        """Without, it runs away."""
        logits = np.linspace(-2, 2, 40)[:, None]
        labels = (logits > 0).astype(np.float32)

        assert 1.0 < fit_slope(logits, labels, SlopePrior(1.0, 1.0)).slope < 10.0
        assert fit_slope(logits, labels).slope > 100.0

    def test_logits_that_do_not_vary_have_no_slope(self):
        """With a prior, it is the prior's."""
        logits, labels = np.full((10, 1), 2.0), np.array([[1.0]] * 3 + [[0.0]] * 7)

        with pytest.raises(ValueError, match="vary"):
            fit_slope(logits, labels)
        assert 0.7 == pytest.approx(fit_slope(logits, labels, SlopePrior(0.7, 0.1)).slope)

    def test_a_finding_with_one_kind_of_label_is_refused(self):
        """Its intercept would run to infinity."""
        logits, labels = sample(50)
        labels[:, 2] = 0

        with pytest.raises(ValueError, match="without positives"):
            fit_slope(logits, labels)


class TestFitCalibration:
    def test_it_recovers_a_slope_for_each_finding(self):
        """What the labels were drawn with."""
        logits, labels = sample(20_000, slopes=(0.3, 0.5, 0.9))
        fitted = fit_calibration(logits, labels)

        assert [0.3, 0.5, 0.9] == pytest.approx([one.slope for one in fitted], abs=0.03)
        assert [0.0, -1.0, -2.5] == pytest.approx([one.intercept for one in fitted], abs=0.1)

    def test_few_positives_take_the_pooled_slope(self):
        """One fewer than the limit; with the limit, a slope of their own."""
        logits, labels = sample(2000, slopes=(0.3, 0.5, 0.9))
        positives = np.flatnonzero(labels[:, 2] == 1)
        labels[positives[OWN_SLOPE_POSITIVES:], 2] = np.nan
        assert [True] * 3 == has_own_slope(labels).tolist()
        own = fit_calibration(logits, labels)[2]
        labels[positives[0], 2] = np.nan
        assert [True, True, False] == has_own_slope(labels).tolist()
        fitted, pooled = fit_calibration(logits, labels), fit_pooled(logits, labels)

        assert pooled[2] == fitted[2]
        assert pooled[0].slope != fitted[0].slope
        assert own.slope > pooled[2].slope

    def test_a_finding_whose_scores_run_against_its_labels_keeps_the_pooled_slope(self):
        """A negative slope would reverse the order of the probabilities."""
        logits, labels = sample(4000)
        logits[:, 1] *= -1

        fitted, pooled = fit_calibration(logits, labels), fit_pooled(logits, labels)
        assert pooled[1] == fitted[1]

    def test_separated_findings_are_fitted_all_the_same(self):
        """A small site may meet a finding that is easy; nothing overflows."""
        logits = np.linspace(-2, 2, 60)[:, None] * np.ones(2)
        fitted = fit_calibration(logits, (logits > 0).astype(np.float32))

        assert all(1.0 < one.slope < 30.0 for one in fitted)
