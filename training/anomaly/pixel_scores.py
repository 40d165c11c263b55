"""Pixels of many maps under one ranking: AUROC and average precision, pooled and by image, and their draws."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

# Ranks that are told apart: 1,024 over the lower 95 % of the pixels, as many over the upper 5 %, where anomalies lie.
_SHARES: Final = np.concatenate([np.linspace(0, 0.95, 1024, endpoint=False)[1:], np.linspace(0.95, 1, 1025)[:-1]])
_SAMPLE: Final = 2_000_000  # pixels whose quantiles are the levels


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """How many pixels of each image have each level: all that AUROC and average precision need.

    Levels are quantiles over all images, so an image keeps its levels when it is drawn twice or not at all.

    Attributes:
        inside: (N, Q) pixels of the anomaly, by level, ascending.
        outside: (N, Q) all other known pixels.
    """

    inside: NDArray[np.int32]
    outside: NDArray[np.int32]

    @classmethod
    def of(cls, maps: NDArray[np.floating], truths: NDArray[np.bool_], known: NDArray[np.bool_]) -> Self:
        """Count.

        Args:
            maps: (N, S, S), finite where known.
            truths: (N, S, S).
            known: (N, S, S), the pixels that count.

        Raises:
            ValueError: a known pixel is NaN or infinite, or there is none.
        """
        values = maps[known]
        if not len(values) or not np.isfinite(values).all():
            raise ValueError(f"{len(values)} known pixels, of which some are NaN or infinite")
        cuts = np.unique(np.quantile(values[:: max(1, len(values) // _SAMPLE)], _SHARES))
        counts = np.zeros((2, len(maps), 2 * len(cuts) + 1), np.int32)
        for place, (one, truth, inside) in enumerate(zip(maps, truths, known, strict=True)):
            # A value that many pixels share, as 0, is a level of its own: ties count one half, not as they fall.
            levels = np.searchsorted(cuts, one, "left") + np.searchsorted(cuts, one, "right")
            for which, mask in enumerate((inside & truth, inside & ~truth)):
                counts[which, place] = np.bincount(levels[mask], minlength=counts.shape[2])
        return cls(counts[0], counts[1])

    def by_image(self) -> "PixelRanking":
        """Every image by itself."""
        return PixelRanking(self.inside.astype(np.float64), self.outside.astype(np.float64))

    def pooled(self, weights: NDArray[np.integer] | None = None) -> "PixelRanking":
        """All images as one, under each of R weightings (R, N) of images; None weighs them alike once."""
        shares = np.ones((1, len(self.inside))) if weights is None else weights.astype(np.float64)
        return PixelRanking(shares @ self.inside, shares @ self.outside)

    def rows(self, chosen: NDArray[np.bool_]) -> "PixelCounts":
        """Of some images."""
        return PixelCounts(self.inside[chosen], self.outside[chosen])


@dataclass(frozen=True, slots=True)
class PixelRanking:
    """R sets of pixels by level: (R, Q) each, weights included."""

    inside: NDArray[np.float64]
    outside: NDArray[np.float64]

    @property
    def aurocs(self) -> NDArray[np.float64]:
        """(R,), NaN where a set has pixels of one kind only; ties count one half."""
        below = np.cumsum(self.outside, axis=1) - 0.5 * self.outside
        pairs = self.inside.sum(axis=1) * self.outside.sum(axis=1)
        return _divide((self.inside * below).sum(axis=1), pairs)

    @property
    def average_precisions(self) -> NDArray[np.float64]:
        """(R,), the sum over levels of precision times gain in recall; NaN where nothing is inside."""
        hits = np.cumsum(self.inside[:, ::-1], axis=1)
        called = hits + np.cumsum(self.outside[:, ::-1], axis=1)
        precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
        return _divide((precision * self.inside[:, ::-1]).sum(axis=1), self.inside.sum(axis=1))

    @property
    def prevalences(self) -> NDArray[np.float64]:
        """(R,), share of pixels inside: the average precision of a map that says nothing."""
        return _divide(self.inside.sum(axis=1), self.inside.sum(axis=1) + self.outside.sum(axis=1))


def _divide(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    quotient: NDArray[np.float64] = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return quotient
