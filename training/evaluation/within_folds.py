"""AUROC out of fold, over pairs of images that the same networks scored.

Each fold is scored by networks of its own, and their scores may differ by an offset that says nothing of an image.
Pooled over folds, images are ranked across that offset; within folds they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import FEW_DEFINED_OF_A_MEAN, Interval, Resampling, interval, mean_draws
from training.evaluation.ranks import Ranking
from training.evaluation.report_json import Json
from training.evaluation.table import UNDEFINED, ends, number, table


@dataclass(frozen=True, slots=True)
class FoldedAurocs:
    """AUROC of F findings and of R draws.

    Attributes:
        values: (F,), NaN where no fold has both kinds.
        draws: (R, F), likewise.
    """

    values: NDArray[np.float64]
    draws: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over the defined findings, or a difference of two; None where it is undefined."""

    value: float | None
    interval: Interval | None

    def as_json(self) -> Json:
        """Unrounded."""
        return {"mean_auroc": self.value, "interval": None if self.interval is None else [*self.interval]}


@dataclass(frozen=True, slots=True)
class Beside:
    """One number in both ways: over all pairs of images, and over those within a fold."""

    pooled: Estimate
    within: Estimate


def folded_aurocs(
    labels: NDArray[np.floating], scores: NDArray[np.floating], folds: NDArray[np.integer], resampling: Resampling
) -> FoldedAurocs:
    """Share of the pairs of a positive and a negative of one fold in the right order: each fold's AUROC by its pairs.

    Args:
        labels: (N, F), NaN unknown.
        scores: (N, F).
        folds: (N,), whose networks scored an image; all alike give the pooled AUROC.
        resampling: of the N images' patients.
    """
    once = np.ones((1, resampling.counts.shape[1]), np.int32)
    weights = np.concatenate([once, resampling.counts])
    columns = []
    for label, score in zip(labels.T, scores.T, strict=True):
        right, pairs = np.zeros(len(weights)), np.zeros(len(weights))
        for fold in np.unique(folds):
            ranking = Ranking(np.where(folds == fold, label, np.nan), score)
            of_fold = ranking.pairs(weights, resampling.patient_of)
            right += np.where(of_fold > 0, ranking.aurocs(weights, resampling.patient_of), 0) * of_fold
            pairs += of_fold
        columns.append(np.divide(right, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))
    values = np.stack(columns, axis=1)
    return FoldedAurocs(values[0], values[1:])


def mean_auroc(aurocs: FoldedAurocs, other: FoldedAurocs | None = None) -> Estimate:
    """Mean over the defined findings; with another on the same draws, how far it leads that one's."""
    others = FoldedAurocs(np.zeros_like(aurocs.values), np.zeros_like(aurocs.draws)) if other is None else other
    counted = ~np.isnan(aurocs.values - others.values)
    if not counted.any():
        return Estimate(None, None)
    value = float((aurocs.values - others.values)[counted].mean())
    draws = mean_draws(aurocs.draws - others.draws, counted)
    return Estimate(value, interval(draws, least_defined=FEW_DEFINED_OF_A_MEAN))


def beside(
    labels: NDArray[np.floating],
    scored: Sequence[tuple[NDArray[np.floating], NDArray[np.integer]]],
    resampling: Resampling,
) -> list[Beside]:
    """Mean AUROC of one model or two, and of two the paired difference, first minus second.

    Args:
        labels: (N, F), NaN unknown.
        scored: scores (N, F) and folds (N,) of each model.
        resampling: of the N images' patients, the same for all.
    """
    pooled = [folded_aurocs(labels, scores, np.zeros_like(folds), resampling) for scores, folds in scored]
    within = [folded_aurocs(labels, scores, folds, resampling) for scores, folds in scored]
    means = [Beside(mean_auroc(one), mean_auroc(own)) for one, own in zip(pooled, within, strict=True)]
    return means if len(scored) == 1 else [*means, Beside(mean_auroc(*pooled), mean_auroc(*within))]


def beside_lines(numbers: Sequence[Beside]) -> list[str]:
    """Of one model, or of A, B and A - B."""
    names = ["mean AUROC"] if len(numbers) == 1 else ["mean AUROC of A", "of B", "A - B"]
    rows = []
    for name, row in zip(names, numbers, strict=True):
        cells = [(_signed(one.value) if name == "A - B" else number(one.value)) for one in (row.pooled, row.within)]
        rows.append([name, cells[0], ends(row.pooled.interval), cells[1], ends(row.within.interval)])
    return [
        "Pooled, images of all folds are ranked together, though each fold has networks of its own; within folds, only",
        "images that the same networks scored are compared, and each fold counts by its pairs.",
        "",
        *table(["out of fold", "pooled", "95 % interval", "within folds", "95 % interval"], rows),
    ]


def _signed(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:+.3f}"
