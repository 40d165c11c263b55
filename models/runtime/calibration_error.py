"""How far probabilities are from observed shares."""

import numpy as np
from numpy.typing import NDArray


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], *, bins: int = 10
) -> float:
    """Mean gap between probability and observed share over equally filled bins, all findings pooled.

    Where equal probabilities fall into two bins, each gets its part of their mean label: no order of rows matters.
    """
    known = ~np.isnan(labels)
    scores = probabilities[known]
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    present = (np.bincount(place, labels[known]) / times)[place]
    order = np.argsort(scores, kind="stable")
    gaps = [
        abs(float(scores[part].mean() - present[part].mean())) * len(part)
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


def calibration_error_by_chance(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], *, draws: int = 100, seed: int = 0
) -> float:
    """Mean error that these very probabilities would show if they were right: labels are drawn from them.

    An observed error that is no larger says nothing against the calibration.

    Args:
        probabilities: any shape.
        labels: likewise, NaN unknown; only what is known is drawn.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    known = ~np.isnan(labels)
    scores = probabilities[known].astype(np.float64)
    errors = [
        expected_calibration_error(scores, (generator.random(len(scores)) < scores).astype(np.float64))
        for _ in range(draws)
    ]
    return float(np.mean(errors))


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
