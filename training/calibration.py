"""From out-of-fold logits to probabilities and thresholds, and how far those probabilities are from observed shares.

The fits are those of `models.runtime`, which `python -m service calibrate` uses on a site's own images.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.runtime.calibration_error import (
    brier_score,
    calibration_error_by_chance,
    calibration_error_by_finding,
    expected_calibration_error,
)
from models.runtime.calibration_fit import fit_calibration as fit
from models.runtime.calibration_fit import fit_pooled
from models.runtime.threshold_fit import BALANCED, fit_thresholds, named_sets, prevalence
from models.runtime.threshold_set import ThresholdSet
from training.evaluation.bootstrap import Interval, Resampling, interval, statistic_draws

__all__ = [
    "BALANCED",
    "brier_score",
    "calibration_error_by_chance",
    "calibration_error_by_finding",
    "calibration_error_interval",
    "expected_calibration_error",
    "fit",
    "fit_pooled",
    "prevalence",
    "threshold_sets",
]


def threshold_sets(
    probabilities: NDArray[np.float64], labels: NDArray[np.floating], findings: Sequence[str], images: str
) -> tuple[ThresholdSet, ...]:
    """`balanced`, `sensitive` and `specific`, as a bundle carries them.

    Args:
        probabilities: (N, F) calibrated, out of fold.
        labels: (N, F), NaN unknown; every finding needs both kinds.
        findings: F names.
        images: the images in words, such as "out-of-fold scores of 1211 images".

    Raises:
        ValueError: a finding has one kind of label only.
    """
    values = fit_thresholds(probabilities, labels)
    if lacking := [name for name, value in zip(findings, values[BALANCED], strict=True) if np.isnan(value)]:
        raise ValueError(f"{lacking[0]}: no threshold without positives and negatives")
    return named_sets(values, labels, findings, images)


def calibration_error_interval(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.floating],
    patients: Sequence[str],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """95 % bootstrap interval over patients of the expected calibration error, all findings pooled.

    The error counts noise in its bins, and a draw with replacement has more of it than the images themselves: the
    interval lies high, and may lie above the point. `calibration_error_by_chance` tells how much of either is noise.

    Args:
        probabilities: (N, F).
        labels: (N, F), NaN unknown.
        patients: N identifiers.
    """
    resampling = Resampling.by_patient(patients, num_resamples, seed)
    return interval(statistic_draws(_error, labels, probabilities, resampling))


def _error(labels: NDArray[np.floating], probabilities: NDArray[np.floating]) -> float | None:
    return None if np.isnan(labels).all() else expected_calibration_error(probabilities, labels)
