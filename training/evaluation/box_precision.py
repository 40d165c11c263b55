"""AP of boxes as arXiv:2210.12843, section 5.3, defines it: tp / (tp + fp) over the boxes that were drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Interval, Resampling, interval


@dataclass(frozen=True, slots=True)
class Precision:
    """tp / (tp + fp) at one IoU, or how far one leads another.

    Attributes:
        value: None where no box was drawn.
        interval: 95 %, over patients; None where too few draws define it.
    """

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Hits:
    """What the boxes of N cases hit.

    Attributes:
        boxes: cases for which a box was drawn: tp + fp.
        values: (T,) precision at each IoU; NaN where no box was drawn.
        draws: (R, T), likewise.
    """

    boxes: int
    values: NDArray[np.float64]
    draws: NDArray[np.float64]

    def precision(self, place: int) -> Precision:
        """At one IoU."""
        return Precision(float(self.values[place]) if self.boxes else None, interval(self.draws[:, place]))


def count_hits(found: NDArray[np.float64], least_overlaps: Sequence[float], resampling: Resampling) -> Hits:
    """Count.

    Args:
        found: (N, K) IoU of K boxes a case, of which the mean counts; NaN where there is no box.
        least_overlaps: T values of IoU that a true positive exceeds.
        resampling: of the N cases' patients.
    """
    drawn = (~np.isnan(found[:, :1])).astype(np.float64)
    hits = (found[:, :, None] > np.array(least_overlaps)).mean(axis=1)  # NaN exceeds nothing
    num_boxes = int(drawn.sum())
    values = hits.sum(axis=0) / num_boxes if num_boxes else np.full(len(least_overlaps), np.nan)
    return Hits(num_boxes, values, resampling.shares(hits, drawn))
