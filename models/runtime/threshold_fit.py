"""Choosing the three threshold sets of a bundle from calibrated probabilities and labels.

Those for a sensitivity or a specificity lie half way between the lowest score that they have to call positive and the
next one below, so that the rounding of another machine moves no image across them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.runtime.threshold_set import ThresholdSet

BALANCED: Final = "balanced"
SENSITIVE: Final = "sensitive"
SPECIFIC: Final = "specific"

SENSITIVITY: Final = 0.90
SPECIFICITY: Final = 0.95
FEW_POSITIVES: Final = 20

_RULES: Final = {
    BALANCED: "share of images with the finding: there a calibrated likelihood ratio is 1 and the expected sensitivity "
    "plus specificity is largest",
    SENSITIVE: f"largest threshold with a sensitivity of at least {SENSITIVITY:.2f}",
    SPECIFIC: f"smallest threshold with a specificity of at least {SPECIFICITY:.2f}",
}


def prevalence(labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of positives among known labels, for each finding.

    As a threshold on a calibrated probability it is the point where sensitivity + specificity is largest in
    expectation (likelihood ratio 1), and unlike an optimum searched on a few positives it cannot overfit.
    """
    share: NDArray[np.float64] = np.nanmean(labels, axis=0, dtype=np.float64)
    return share


def fit_thresholds(probabilities: NDArray[np.float64], labels: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """(F,) thresholds by the name of the set; NaN for a finding without images of both kinds.

    Args:
        probabilities: (N, F) calibrated, of images that the network was not trained on; NaN where there is none.
        labels: (N, F), 1 present, 0 absent, NaN unknown.
    """
    values = {name: np.full(labels.shape[1], np.nan) for name in _RULES}
    for column in range(labels.shape[1]):
        known = ~(np.isnan(labels[:, column]) | np.isnan(probabilities[:, column]))
        present, scores = labels[known, column] == 1, probabilities[known, column]
        if present.any() and not present.all():
            values[BALANCED][column] = present.mean()
            values[SENSITIVE][column] = sensitive_threshold(scores, present)
            values[SPECIFIC][column] = specific_threshold(scores, present)
    return values


def sensitive_threshold(
    scores: NDArray[np.float64], present: NDArray[np.bool_], sensitivity: float = SENSITIVITY
) -> float:
    """The largest threshold that finds at least this share of the positives.

    Args:
        scores: (N,) probabilities.
        present: (N,), some True.
    """
    positives = np.sort(scores[present])
    num_missed = _most(1 - sensitivity, len(positives))
    return _below(scores, positives[num_missed])


def specific_threshold(
    scores: NDArray[np.float64], present: NDArray[np.bool_], specificity: float = SPECIFICITY
) -> float:
    """The smallest threshold that leaves at least this share of the negatives alone; half way to 1 above all scores.

    Args:
        scores: (N,) probabilities.
        present: (N,), some False.
    """
    negatives = np.sort(scores[~present])
    spared = negatives[len(negatives) - 1 - _most(1 - specificity, len(negatives))]
    above = scores[scores > spared]
    return _below(scores, above.min() if len(above) else 1.0)


def named_sets(
    values: Mapping[str, NDArray[np.float64]], labels: NDArray[np.floating], findings: Sequence[str], images: str
) -> tuple[ThresholdSet, ...]:
    """The sets with their descriptions, which name the findings whose positives are few.

    Args:
        values: (F,) thresholds by name, as from `fit_thresholds`, none NaN.
        labels: (N, F), what they were fitted on.
        findings: F names.
        images: the images in words.
    """
    counts = (labels == 1).sum(axis=0)
    few = [f"{name} ({count})" for name, count in zip(findings, counts, strict=True) if count < FEW_POSITIVES]
    caution = f"; fewer than {FEW_POSITIVES} positives: {', '.join(few)}" if few else ""
    return tuple(
        ThresholdSet(name=name, description=f"{rule}, on {images}{caution}", values=tuple(map(float, values[name])))
        for name, rule in _RULES.items()
    )


def _most(share: float, number: int) -> int:
    """How many of `number` a share of them is at most; 0.1 of 10 is 1, whatever 1 - 0.9 is in binary."""
    return int(np.floor(share * number + 1e-9))


def _below(scores: NDArray[np.float64], score: float) -> float:
    """Half way between a score and the next lower one; 0 is lower than all. Between neighbours in binary the score."""
    lower = scores[scores < score].max(initial=0.0)
    between = (score + lower) / 2
    return float(between if between > lower else score)
