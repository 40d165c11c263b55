"""How well scores separate what is present from what is absent; undefined stays undefined."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score


def auroc(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Area under the ROC curve; None where it is undefined (one class only, or nobody at all)."""
    present = np.asarray(labels, bool)
    if present.all() or not present.any():
        return None
    return float(roc_auc_score(present, scores))


@dataclass(frozen=True, slots=True)
class FindingAuroc:
    """AUROC of one finding over the images whose label is known.

    Attributes:
        finding: its name.
        positives: images with the finding.
        negatives: images known to be without it.
        value: AUROC, or None where one of the counts is 0.
        low: lower end of the 95 % bootstrap interval over patients, None where `value` is.
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
    """
    point = _aurocs(labels, scores)
    groups = [np.flatnonzero(np.array(patients) == patient) for patient in sorted(set(patients))]
    generator = np.random.Generator(np.random.PCG64(seed))
    draws = np.full((num_resamples, len(findings)), np.nan)
    for draw in draws:
        rows = np.concatenate([groups[index] for index in generator.integers(len(groups), size=len(groups))])
        draw[:] = _aurocs(labels[rows], scores[rows])
    defined = ~np.isnan(point)
    rows_of = [
        FindingAuroc(
            name,
            positives=int((labels[:, index] == 1).sum()),
            negatives=int((labels[:, index] == 0).sum()),
            value=_value(point[index]),
            low=_percentile(draws[:, index], 2.5) if defined[index] else None,
            high=_percentile(draws[:, index], 97.5) if defined[index] else None,
        )
        for index, name in enumerate(findings)
    ]
    if not defined.any():
        return AurocReport(tuple(rows_of), None, None, None)
    # A draw that loses a rare finding would average over other findings than the point does: it is left out.
    means = draws[:, defined].mean(axis=1)
    return AurocReport(tuple(rows_of), float(point[defined].mean()), _percentile(means, 2.5), _percentile(means, 97.5))


def _aurocs(labels: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    values = []
    for column in range(labels.shape[1]):
        known = ~np.isnan(labels[:, column])
        value = auroc(labels[known, column] == 1, scores[known, column])
        values.append(np.nan if value is None else value)
    return np.array(values)


def _value(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _percentile(numbers: NDArray[np.float64], percent: float) -> float | None:
    valid = numbers[~np.isnan(numbers)]
    return float(np.percentile(valid, percent)) if len(valid) else None
