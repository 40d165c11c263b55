"""Operating points: where to cut a score, and what a cut made elsewhere does here.

Choosing and reporting are two functions on purpose. A threshold is chosen on one split and reported on another; on the
split that chose it, every number flatters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.ranks import Ranking


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Counts of images at a threshold; a score that reaches it is positive, as in serving.

    Attributes:
        threshold: on the scale of the scores.
    """

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def sensitivity(self) -> float | None:
        """Positives that are found; None without positives."""
        return _share(self.true_positives, self.false_negatives)

    @property
    def specificity(self) -> float | None:
        """Negatives that are left alone; None without negatives."""
        return _share(self.true_negatives, self.false_positives)

    @property
    def ppv(self) -> float | None:
        """Positive predictive value, which changes with the prevalence; None where nothing is called positive."""
        return _share(self.true_positives, self.false_positives)

    @property
    def npv(self) -> float | None:
        """Negative predictive value, which changes with the prevalence; None where nothing is called negative."""
        return _share(self.true_negatives, self.false_negatives)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cuts of a model's findings, chosen on other images than they are reported on.

    Attributes:
        values: (F,), NaN where a finding has none.
        on_probabilities: whether they cut calibrated probabilities; logits otherwise.
        origin: where they come from, for people.
    """

    values: NDArray[np.float64]
    on_probabilities: bool
    origin: str


def operating_point(labels: NDArray[np.bool_], scores: NDArray[np.floating], threshold: float) -> OperatingPoint:
    """What a threshold does on images that did not choose it."""
    present, called = np.asarray(labels, bool), np.asarray(scores, np.float64) >= threshold
    return OperatingPoint(
        threshold=threshold,
        true_positives=int((present & called).sum()),
        false_positives=int((~present & called).sum()),
        true_negatives=int((~present & ~called).sum()),
        false_negatives=int((present & ~called).sum()),
    )


def pooled(points: Sequence[OperatingPoint]) -> OperatingPoint:
    """The counts of several findings as one, whose threshold is no number."""
    return OperatingPoint(
        threshold=math.nan,
        true_positives=sum(point.true_positives for point in points),
        false_positives=sum(point.false_positives for point in points),
        true_negatives=sum(point.true_negatives for point in points),
        false_negatives=sum(point.false_negatives for point in points),
    )


def youden_threshold(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Where sensitivity + specificity is largest, the highest of equals; None without both kinds of label.

    Source: Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
    """
    found, spared, thresholds = _curve(labels, scores)
    if np.isnan(found + spared).any():
        return None
    return float(thresholds[np.argmax(found + spared)])


def roc_curve(
    labels: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 - specificity and sensitivity at every threshold that matters, both rising from 0 to 1.

    NaN in the one that a missing kind of label leaves undefined.
    """
    found, spared, _ = _curve(labels, scores)
    return 1 - spared, found


def _curve(
    labels: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sensitivity and specificity at every threshold that matters: infinity, then each score from the top down."""
    present, wide = np.asarray(labels, bool), np.asarray(scores, np.float64)
    ranking = Ranking(present, wide)
    levels, level_of = np.unique(wide, return_inverse=True)
    above = [
        np.concatenate([[0], np.bincount(level_of[kind], minlength=len(levels))[::-1].cumsum()])
        for kind in (present, ~present)
    ]
    thresholds = np.concatenate([[np.inf], levels[::-1]])
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, which callers turn into None
        found = above[0] / np.float64(ranking.num_positives)
        spared = (ranking.num_negatives - above[1]) / np.float64(ranking.num_negatives)  # 1 - 9/10 is not 1/10
    return found, spared, thresholds


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
