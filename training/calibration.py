"""From logits to probabilities: one slope for all findings, an intercept and a threshold for each."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from models.runtime.manifest import Calibration


def fit_pooled(logits: NDArray[np.floating], labels: NDArray[np.floating]) -> tuple[Calibration, ...]:
    """Platt scaling with a slope pooled over findings.

    Some findings have two positives: a slope of their own would be noise. The intercepts make the mean probability of
    each finding its observed share.

    Args:
        logits: (N, F).
        labels: (N, F), 1 present, 0 absent, NaN unknown; every finding needs both kinds.

    Raises:
        ValueError: a finding has one kind of label only, or the pooled slope is not positive.
    """
    known = ~np.isnan(labels)
    present = np.where(known, labels, 0)
    if not ((present.sum(axis=0) > 0) & ((known - present).sum(axis=0) > 0)).all():
        raise ValueError("a finding without positives or without negatives cannot be calibrated")

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logits + parameters[1:]
        value = -(present * log_expit(z) + (1 - present) * log_expit(-z))[known].sum()
        slope_error = np.where(known, expit(z) - present, 0.0)
        return float(value), np.concatenate([[(slope_error * logits).sum()], slope_error.sum(axis=0)])

    start = np.concatenate([[1.0], np.zeros(logits.shape[1])])
    solution = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-4}).x
    if solution[0] <= 0:
        raise ValueError(f"the pooled slope is {solution[0]:.3f}: the scores run against the labels")
    return tuple(Calibration(slope=float(solution[0]), intercept=float(value)) for value in solution[1:])


def prevalence(labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of positives among known labels, for each finding.

    As a threshold on a calibrated probability it is the point where sensitivity + specificity is largest in
    expectation (likelihood ratio 1), and unlike an optimum searched on a few positives it cannot overfit.
    """
    share: NDArray[np.float64] = np.nanmean(labels, axis=0, dtype=np.float64)
    return share


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], *, bins: int = 10
) -> float:
    """Mean gap between probability and observed share over equally filled bins, all findings pooled."""
    known = ~np.isnan(labels)
    order = np.argsort(probabilities[known], kind="stable")
    gaps = [
        abs(float(probabilities[known][part].mean() - labels[known][part].mean())) * len(part)
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return sum(gaps) / int(known.sum())


def calibration_error_by_finding(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], *, bins: int = 10
) -> tuple[float | None, ...]:
    """Expected calibration error of each finding alone; None where no image has both a label and a probability.

    With few images in a bin its share is noise, and noise counts as error: compare only what has equally many images.

    Args:
        probabilities: (N, F), NaN where the model gives none.
        labels: (N, F), NaN unknown.
    """
    errors: list[float | None] = []
    for index in range(labels.shape[1]):
        labelled = np.where(np.isnan(probabilities[:, index]), np.nan, labels[:, index])
        known = not np.isnan(labelled).all()
        errors.append(expected_calibration_error(probabilities[:, index], labelled, bins=bins) if known else None)
    return tuple(errors)


def brier_score(probabilities: NDArray[np.floating], labels: NDArray[np.floating]) -> float | None:
    """Mean squared distance of probability and label, in [0, 1]; None where no image has both.

    The constant answer "prevalence p" scores p * (1 - p), so a rare finding scores low by being rare.

    Args:
        probabilities: any shape, NaN where the model gives none.
        labels: likewise, NaN unknown.

    Source: Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    known = ~(np.isnan(labels) | np.isnan(probabilities))
    if not known.any():
        return None
    return float(np.mean((probabilities[known].astype(np.float64) - labels[known]) ** 2))
