"""Fitting calibration: probability = sigmoid(slope * logit + intercept), by Newton's method.

Source: Platt 1999, Probabilistic outputs for support vector machines.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from models.runtime.manifest import Calibration

OWN_SLOPE_POSITIVES: Final = 20  # a finding with fewer images of either kind takes the slope of all findings together

_MAX_STEPS: Final = 100
_CLOSE_ENOUGH: Final = 1e-12  # of the loss, in nats, to its minimum: 1e-6 of a standard error


@dataclass(frozen=True, slots=True)
class SlopePrior:
    """Normal prior of a slope; it keeps the fit finite where scores separate the labels perfectly.

    In units of a calibrated logit, whose spread within a kind is about 1, an image of the rarer kind tells the slope
    with a precision of about 1, and a spread of half the centre weighs as much as four of them.
    """

    centre: float
    spread: float


@dataclass(frozen=True, slots=True)
class SlopeFit:
    """One slope, and an intercept (F,) for each finding."""

    slope: float
    intercepts: NDArray[np.float64]


def fit_slope(logits: NDArray[np.floating], labels: NDArray[np.floating], prior: SlopePrior | None = None) -> SlopeFit:
    """Logistic regression with one slope for all findings and an intercept for each.

    The intercepts make the mean probability of each finding its observed share, whatever the slope.

    Args:
        logits: (N, F).
        labels: (N, F), 1 present, 0 absent, NaN unknown; every finding needs both kinds.
        prior: of the slope; None for maximum likelihood, whose slope is huge where scores separate the labels.

    Raises:
        ValueError: a finding has one kind of label only; or, without a prior, logits do not vary.
    """
    known = ~np.isnan(labels)
    present = np.where(known, labels, 0.0)
    if not ((present.sum(axis=0) > 0) & ((known - present).sum(axis=0) > 0)).all():
        raise ValueError("a finding without positives or without negatives cannot be calibrated")
    x = logits.astype(np.float64)
    centre, precision = (0.0, 0.0) if prior is None else (prior.centre, prior.spread**-2)

    def loss(slope: float, intercepts: NDArray[np.float64]) -> float:
        z = slope * x + intercepts
        of_labels = -np.where(known, present * log_expit(z) + (1 - present) * log_expit(-z), 0.0).sum()
        return float(of_labels + precision * (slope - centre) ** 2 / 2)

    share = present.sum(axis=0) / known.sum(axis=0)
    slope, intercepts = 0.0, np.log(share / (1 - share))
    current = loss(slope, intercepts)
    for _ in range(_MAX_STEPS):
        p = expit(slope * x + intercepts)
        error, weight = np.where(known, p - present, 0.0), np.where(known, p * (1 - p), 0.0)
        # The matrix of second derivatives is an arrow: intercepts meet in the slope alone.
        total = np.maximum(weight.sum(axis=0), np.finfo(np.float64).tiny)
        mean = (weight * x).sum(axis=0) / total
        curvature = (weight * (x - mean) ** 2).sum() + precision
        if curvature <= 0:
            raise ValueError("logits that do not vary have no slope")
        slope_step = ((error * (x - mean)).sum() + precision * (slope - centre)) / curvature
        intercept_steps = error.sum(axis=0) / total - mean * slope_step
        gain = slope_step**2 * curvature + (error.sum(axis=0) ** 2 / total).sum()
        size = 1.0
        while (there := loss(slope - size * slope_step, intercepts - size * intercept_steps)) > current and size > 1e-9:
            size /= 2
        if there <= current:
            slope, intercepts, current = float(slope - size * slope_step), intercepts - size * intercept_steps, there
        if gain < _CLOSE_ENOUGH or there > current:
            return SlopeFit(slope, intercepts)
    raise ValueError("the fit does not settle: some logits are far beyond the others")


def fit_pooled(logits: NDArray[np.floating], labels: NDArray[np.floating]) -> tuple[Calibration, ...]:
    """One slope for all findings: where some have two positives, a slope of their own would be noise.

    Args:
        logits: (N, F).
        labels: (N, F), NaN unknown.

    Raises:
        ValueError: a finding has one kind of label only, or the slope is not positive.
    """
    fitted = fit_slope(logits, labels, SlopePrior(1.0, 1.0))
    if fitted.slope <= 0:
        raise ValueError(f"the pooled slope is {fitted.slope:.3f}: the scores run against the labels")
    return tuple(Calibration(slope=fitted.slope, intercept=float(value)) for value in fitted.intercepts)


def fit_calibration(
    logits: NDArray[np.floating], labels: NDArray[np.floating], own_slope: NDArray[np.bool_] | None = None
) -> tuple[Calibration, ...]:
    """A slope and an intercept for each finding; where images are few, the slope is that of all findings together.

    A slope of a finding's own is drawn towards the pooled one by a normal prior with half of it as spread, which weighs
    about as much as four images of the rarer kind. Where it is not positive all the same, the pooled one stands: a
    calibration keeps the order of the logits.

    Args:
        logits: (N, F), of images that the network was not trained on.
        labels: (N, F), 1 present, 0 absent, NaN unknown; every finding needs both kinds.
        own_slope: (F,), which findings get one; None for `has_own_slope`.

    Raises:
        ValueError: a finding has one kind of label only, or the pooled slope is not positive.
    """
    calibrations = list(fit_pooled(logits, labels))
    for column in np.flatnonzero(has_own_slope(labels) if own_slope is None else own_slope):
        pooled = calibrations[column].slope
        alone = slice(column, column + 1)
        fitted = fit_slope(logits[:, alone], labels[:, alone], SlopePrior(pooled, pooled / 2))
        if fitted.slope > 0:
            calibrations[column] = Calibration(slope=fitted.slope, intercept=float(fitted.intercepts[0]))
    return tuple(calibrations)


def has_own_slope(labels: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(F,), whether there are at least `OWN_SLOPE_POSITIVES` images with, and as many without each finding."""
    fewest = np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0))
    return np.asarray(fewest >= OWN_SLOPE_POSITIVES)
