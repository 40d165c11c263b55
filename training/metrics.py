"""How well scores separate what is present from what is absent; undefined stays undefined."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import FEW_DEFINED_OF_A_MEAN, Resampling, auroc_draws, interval, mean_draws
from training.evaluation.ranks import Ranking


def auroc(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Area under the ROC curve; None where it is undefined (one class only, or nobody at all).

    Half precision scores are widened, which does not part what is tied in them.

    Raises:
        ValueError: the lengths differ, or a score is NaN or infinite.
    """
    return Ranking(np.asarray(labels, bool), scores).auroc


@dataclass(frozen=True, slots=True)
class FindingAuroc:
    """AUROC of one finding over the images whose label is known.

    Attributes:
        finding: its name.
        positives: images with the finding.
        negatives: images known to be without it.
        value: AUROC, or None where one of the counts is 0.
        low: lower end of the 95 % bootstrap interval over patients; None where `value` is, where so few patients have
            the finding, or lack it, that a quarter of the draws lose it, and where all draws agree.
        high: upper end.
    """

    finding: str
    positives: int
    negatives: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class AurocReport:
    """AUROC of all findings, and the mean over the defined ones with its interval."""

    findings: tuple[FindingAuroc, ...]
    mean: float | None
    low: float | None
    high: float | None

    @property
    def num_defined(self) -> int:
        """Findings whose AUROC exists."""
        return sum(finding.value is not None for finding in self.findings)


def auroc_report(
    findings: Sequence[str],
    labels: NDArray[np.floating],
    scores: NDArray[np.floating],
    patients: Sequence[str],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> AurocReport:
    """AUROC per finding and their mean, with percentile bootstrap intervals that resample whole patients.

    Args:
        findings: F names.
        labels: (N, F), 1 present, 0 absent, NaN unknown.
        scores: (N, F), float32 or wider: half precision makes ties.
        patients: N identifiers.
        num_resamples: bootstrap draws; a draw in which a finding is undefined does not count for it.
        seed: of the bootstrap.

    Raises:
        ValueError: a score is NaN or infinite; the message names the finding.
    """
    if not len(labels):
        return AurocReport(tuple(FindingAuroc(name, 0, 0, None) for name in findings), None, None, None)
    rankings = [_ranking(name, labels[:, index], scores[:, index]) for index, name in enumerate(findings)]
    draws = auroc_draws(labels, scores, Resampling.by_patient(patients, num_resamples, seed))
    rows = [_row(name, rankings[index], draws[:, index]) for index, name in enumerate(findings)]
    defined = np.array([row.value is not None for row in rows])
    if not defined.any():
        return AurocReport(tuple(rows), None, None, None)
    ends = interval(mean_draws(draws, defined), least_defined=FEW_DEFINED_OF_A_MEAN) or (None, None)
    mean = float(np.mean([row.value for row in rows if row.value is not None]))
    return AurocReport(tuple(rows), mean, *ends)


def _ranking(finding: str, labels: NDArray[np.floating], scores: NDArray[np.floating]) -> Ranking:
    try:
        return Ranking(labels, scores)
    except ValueError as error:
        raise ValueError(f"{finding}: {error}") from error


def _row(finding: str, ranking: Ranking, draws: NDArray[np.float64]) -> FindingAuroc:
    value = ranking.auroc
    ends = None if value is None else interval(draws)
    return FindingAuroc(finding, ranking.num_positives, ranking.num_negatives, value, *(ends or (None, None)))
