"""Fitting the findings that images allow to fit, keeping the bundle's numbers for the others."""

import numpy as np
from numpy.typing import NDArray

from models.runtime.calibration import calibrate
from models.runtime.calibration_fit import fit_calibration
from models.runtime.manifest import Calibration, Manifest
from models.runtime.threshold_fit import fit_thresholds

Thresholds = dict[str, NDArray[np.float64]]  # (F,) by the name of the set


def fittable(labels: NDArray[np.float64], least: int) -> NDArray[np.bool_]:
    """(F,), whether there are so many images with, and as many without each finding."""
    return np.asarray(np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0)) >= least)


def fit_partly(
    manifest: Manifest,
    logits: NDArray[np.float64],
    labels: NDArray[np.float64],
    columns: NDArray[np.bool_],
    own_slope: NDArray[np.bool_],
) -> tuple[tuple[Calibration, ...], Thresholds]:
    """Calibrations and thresholds, fitted in these columns.

    What is not fitted keeps the thresholds of the bundle's set of the same name, or of its default.

    Args:
        logits: (N, F), finite.
        labels: (N, F), NaN unknown; both kinds in every fitted column.
        columns: (F,).
        own_slope: (F,), which of them get a slope of their own.

    Raises:
        ValueError: as `fit_calibration`.
    """
    current = tuple(finding.calibration for finding in manifest.findings)
    calibrations = current
    if columns.any():
        fitted = iter(fit_calibration(logits[:, columns], labels[:, columns], own_slope[columns]))
        calibrations = tuple(next(fitted) if chosen else kept for chosen, kept in zip(columns, current, strict=True))
    thresholds = fit_thresholds(calibrate(logits, calibrations), np.where(columns, labels, np.nan))
    for name, values in thresholds.items():
        base = manifest.with_thresholds(name) if name in manifest.threshold_names else manifest
        kept_values = np.array([finding.threshold for finding in base.findings])
        thresholds[name] = np.where(np.isnan(values), kept_values, values)
    return calibrations, thresholds
