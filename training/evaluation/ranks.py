"""AUROC from ranks: the scores of a finding are sorted once, then any number of weightings costs a pass each."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2**18  # weights looked at together; a few megabytes, so that they stay in the cache


class Ranking:
    """The known scores of one finding in order, ties included.

    AUROC is the share of pairs of a positive and a negative in which the positive has the higher score; a tie counts
    one half. Under weights a pair counts the product of its two weights.

    Source: Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.

    Args:
        labels: (N,), 1 or True present, 0 or False absent, NaN unknown.
        scores: (N,), compared as float64, which holds every half and single precision number.

    Raises:
        ValueError: the lengths differ, or a score with a known label is NaN or infinite.
    """

    def __init__(self, labels: NDArray[np.generic], scores: NDArray[np.floating]) -> None:
        labels, wide = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
        if labels.ndim != 1 or labels.shape != wide.shape:
            raise ValueError(f"labels {labels.shape} and scores {wide.shape} are no two lists of one length")
        known = ~np.isnan(labels)
        if num_broken := int((~np.isfinite(wide[known])).sum()):
            raise ValueError(f"{num_broken} of {int(known.sum())} scores are NaN or infinite: they cannot be ranked")
        self._positives = np.flatnonzero(labels == 1)
        negatives = np.flatnonzero(labels == 0)
        self._negatives = negatives[np.argsort(wide[negatives], kind="stable")]
        sorted_scores = wide[self._negatives]
        self._below = np.searchsorted(sorted_scores, wide[self._positives], side="left")
        self._up_to = np.searchsorted(sorted_scores, wide[self._positives], side="right")

    @property
    def num_positives(self) -> int:
        """Images with the finding."""
        return len(self._positives)

    @property
    def num_negatives(self) -> int:
        """Images known to be without it."""
        return len(self._negatives)

    @property
    def auroc(self) -> float | None:
        """None where it is undefined: one kind only, or nobody at all."""
        if not (self.num_positives and self.num_negatives):
            return None
        twice = int(self._below.sum()) + int(self._up_to.sum())
        return twice / (2 * self.num_positives * self.num_negatives)

    def pairs(self, weights: NDArray[np.integer], group_of: NDArray[np.integer]) -> NDArray[np.int64]:
        """(R,), pairs of a positive and a negative under each of R weightings, as in `aurocs`."""
        kinds = (group_of[self._positives], group_of[self._negatives])
        positives, negatives = (weights[:, of_kind].sum(axis=1, dtype=np.int64) for of_kind in kinds)
        return np.asarray(positives * negatives)

    def aurocs(self, weights: NDArray[np.integer], group_of: NDArray[np.integer]) -> NDArray[np.float64]:
        """AUROC under each of R weightings of G groups of images.

        Args:
            weights: (R, G), whole and not negative: how often a group was drawn.
            group_of: (N,), the group of each image.

        Returns:
            (R,), NaN where one kind has no weight.
        """
        values = np.full(len(weights), np.nan)
        of_positives, of_negatives = group_of[self._positives], group_of[self._negatives]
        step = max(1, _BLOCK // max(1, len(group_of)))
        for start in range(0, len(weights), step):
            block = weights[start : start + step].astype(np.int64)
            positives = block[:, of_positives]
            cumulated = np.zeros((len(block), len(of_negatives) + 1), np.int64)
            np.cumsum(block[:, of_negatives], axis=1, out=cumulated[:, 1:])
            # Exact integers: a product of two counts of images is far below 2**63.
            twice = (positives * (cumulated[:, self._below] + cumulated[:, self._up_to])).sum(axis=1)
            pairs = positives.sum(axis=1) * cumulated[:, -1]
            defined = pairs > 0
            values[start : start + step][defined] = twice[defined] / (2 * pairs[defined])
        return values
