"""Bootstrap over patients: whole patients are drawn with replacement, so that their images stay together.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 (the unit that is drawn) and 13
(percentile intervals).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.evaluation.ranks import Ranking

# Shares of draws that a statistic must be defined in. A finding that one patient alone has is lost in 37 % of them, one
# that two have in 14 %: spread among positives takes two. A mean over many rare findings is lost whenever one of them
# is, and its draws are a fair sample all the same.
FEW_DEFINED, FEW_DEFINED_OF_A_MEAN = 0.75, 0.25


class Interval(NamedTuple):
    """Percentile interval, both ends inside."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """R draws of all patients with replacement.

    Every statistic taken under one resampling sees the same draws: the difference of two is a paired difference.

    Attributes:
        patient_of: (N,), the place of each image's patient among the P patients.
        counts: (R, P), how often each draw has each patient; a row sums to P.
    """

    patient_of: NDArray[np.int64]
    counts: NDArray[np.int32]

    @classmethod
    def by_patient(cls, patients: Sequence[str], num_resamples: int, seed: int) -> Self:
        """Draw.

        Args:
            patients: N identifiers, at least one.
        """
        names, patient_of = np.unique(np.asarray(patients, np.str_), return_inverse=True)
        generator = np.random.Generator(np.random.PCG64(seed))
        counts = np.empty((num_resamples, len(names)), np.int32)
        for draw in counts:
            draw[:] = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        return cls(patient_of.astype(np.int64), counts)

    def rows(self, draw: int) -> NDArray[np.int64]:
        """Images of one draw, in order, each as often as its patient was drawn."""
        return np.repeat(np.arange(len(self.patient_of)), self.counts[draw, self.patient_of])

    def shares(self, hits: NDArray[np.floating], cases: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sum of hits over sum of cases in every draw: accuracy, sensitivity, precision.

        Args:
            hits: (N, K) what is counted of each image.
            cases: (N, K) or (N, 1) out of how much.

        Returns:
            (R, K), NaN where a draw has no case.
        """
        above, below = self._totals(hits), self._totals(cases)
        with np.errstate(invalid="ignore"):
            shares: NDArray[np.float64] = np.where(below > 0, above / below, np.nan)
        return shares

    def _totals(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        by_patient = np.zeros((self.counts.shape[1], values.shape[1]))
        np.add.at(by_patient, self.patient_of, values)
        return self.counts @ by_patient


def auroc_draws(
    labels: NDArray[np.floating], scores: NDArray[np.floating], resampling: Resampling
) -> NDArray[np.float64]:
    """AUROC of every finding in every draw, from ranks, a hundred times sooner than from the images of each draw.

    Args:
        labels: (N, F), NaN unknown.
        scores: (N, F).

    Returns:
        (R, F), NaN where a draw has one kind only.
    """
    columns = [
        Ranking(labels[:, column], scores[:, column]).aurocs(resampling.counts, resampling.patient_of)
        for column in tqdm(range(labels.shape[1]), desc="intervals", unit="finding", delay=1)
    ]
    return np.stack(columns, axis=1)


def interval(draws: NDArray[np.float64], level: float = 0.95, *, least_defined: float = FEW_DEFINED) -> Interval | None:
    """Percentile interval of (R,) draws; those in which the statistic was undefined do not count.

    None where it was defined in fewer than `least_defined` of them: what is left says how the statistic varies among
    lucky draws, which is less than it varies. None, too, where all draws agree: no hit among three cases is no proof
    that there will be none among the next.
    """
    valid = draws[~np.isnan(draws)]
    if not len(valid) or len(valid) < least_defined * len(draws) or valid.min() == valid.max():
        return None
    low, high = np.percentile(valid, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high))


def mean_draws(draws: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over findings of every draw.

    Args:
        draws: (R, F).
        counted: (F,), the findings that the mean is over.

    Returns:
        (R,), NaN where a draw lost one of them: its mean would be over other findings than the point's.
    """
    if not counted.any():
        return np.full(len(draws), np.nan)
    means: NDArray[np.float64] = draws[:, counted].mean(axis=1)
    return means
