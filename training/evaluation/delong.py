"""DeLong's variance of AUROCs, and his test of two models on the same images."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from training.evaluation.ranks import Ranking

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class DelongTest:
    """Two correlated AUROCs and their difference, two-sided.

    Attributes:
        auroc_a: of the first scores.
        auroc_b: of the second.
        difference: auroc_a - auroc_b.
        standard_error: of the difference; None with fewer than two positives or two negatives.
        z: difference / standard_error; like all that follows None where that is None or 0, because a sample in which
            nothing varies says nothing about the next one.
        p_value: probability of a difference at least as large, were there none.
        low: lower end of the 95 % interval of the difference.
        high: upper end.
    """

    auroc_a: float
    auroc_b: float
    difference: float
    standard_error: float | None
    z: float | None = None
    p_value: float | None = None
    low: float | None = None
    high: float | None = None


class Components(NamedTuple):
    """Structural components of K models' AUROCs on the same images; each model's mean, over either, is its AUROC.

    Attributes:
        positives: (K, m), for each positive the share of negatives that it outranks, ties counting one half.
        negatives: (K, n), for each negative the share of positives that outrank it.
    """

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]


def delong_test(
    labels: NDArray[np.bool_], scores_a: NDArray[np.floating], scores_b: NDArray[np.floating]
) -> DelongTest | None:
    """Compare two models on the same images; None where AUROC is undefined (one kind of label only).

    Images count as independent. Where patients have several, the error is too small by as much as their images agree;
    the bootstrap by patient (`training.evaluation.bootstrap`) is then the one to believe.

    Args:
        labels: (N,) True present.
        scores_a: (N,).
        scores_b: (N,), of the same images.

    Raises:
        ValueError: the lengths differ, or a score is NaN or infinite.

    Source: DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595.
    """
    present = np.asarray(labels, bool)
    auroc_a, auroc_b = Ranking(present, scores_a).auroc, Ranking(present, scores_b).auroc
    if auroc_a is None or auroc_b is None:
        return None
    difference = auroc_a - auroc_b
    components = structural_components(present, np.stack([scores_a, scores_b]))
    if min(part.shape[1] for part in components) < 2:
        return DelongTest(auroc_a, auroc_b, difference, None)
    # The variance of the components' difference: their covariance matrix would lose digits where the models agree.
    error = float(np.sqrt(sum(np.var(part[0] - part[1], ddof=1) / part.shape[1] for part in components)))
    if error == 0:
        return DelongTest(auroc_a, auroc_b, difference, error)
    z, half_width = difference / error, float(norm.isf((1 - _LEVEL) / 2)) * error
    p_value = float(2 * norm.sf(abs(z)))
    return DelongTest(auroc_a, auroc_b, difference, error, z, p_value, difference - half_width, difference + half_width)


def structural_components(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> Components:
    """Components of K models' scores (K, N), from mid-ranks instead of from all pairs.

    Source: Sun and Xu 2014, doi:10.1109/LSP.2014.2337313.
    """
    wide = np.asarray(scores, np.float64)
    positives, negatives = wide[:, labels], wide[:, ~labels]
    m, n = positives.shape[1], negatives.shape[1]
    among_all = rankdata(np.concatenate([positives, negatives], axis=1), axis=1)
    return Components(
        (among_all[:, :m] - rankdata(positives, axis=1)) / n,
        1 - (among_all[:, m:] - rankdata(negatives, axis=1)) / m,
    )
