"""Everything an evaluation says of independent findings, as values; `report_text` and `report_json` write it down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.runtime.calibration_error import brier_score, calibration_error_by_finding, expected_calibration_error
from training.evaluation.operating import OperatingPoint, Thresholds, operating_point
from training.evaluation.precision_recall import average_precision
from training.evaluation.scores import Scores
from training.metrics import AurocReport, FindingAuroc, auroc_report


@dataclass(frozen=True, slots=True)
class FindingReport:
    """One finding over the images whose label is known.

    Attributes:
        auroc: with counts and interval; undefined where the finding was not trained, too.
        unknown: images of which nobody says whether they have it.
        is_trained: False where the model itself says that this output carries nothing.
        average_precision: None without positives.
        calibration_error: None where the model gives no probability.
        brier: likewise.
        operating: what the threshold does; None without one.
    """

    auroc: FindingAuroc
    unknown: int
    is_trained: bool
    average_precision: float | None
    calibration_error: float | None
    brier: float | None
    operating: OperatingPoint | None

    @property
    def prevalence(self) -> float | None:
        """Share of positives among the known: the AUPRC of scores that say nothing."""
        known = self.auroc.positives + self.auroc.negatives
        return self.auroc.positives / known if known else None


@dataclass(frozen=True, slots=True)
class FindingsReport:
    """All findings of a model on one set of images.

    Attributes:
        num_images: scored.
        num_patients: whose images they are.
        aurocs: of all findings, with the mean over the defined ones.
        findings: in the model's order.
        calibration_error: all findings pooled; None where the model gives no probability.
        brier: likewise.
        thresholds: where the operating points' thresholds come from, in words; empty where there are none.
    """

    num_images: int
    num_patients: int
    aurocs: AurocReport
    findings: tuple[FindingReport, ...]
    calibration_error: float | None
    brier: float | None
    thresholds: str = ""


def findings_report(
    scores: Scores,
    labels: NDArray[np.float32],
    patients: Sequence[str],
    thresholds: Thresholds | None,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> FindingsReport:
    """Measure.

    Args:
        scores: of N images.
        labels: (N, F), NaN unknown, in the order of `scores.findings`; an unknown label counts for nothing.
        patients: N identifiers, the unit of the bootstrap.
        thresholds: chosen on other images.
        num_resamples: bootstrap draws.
        seed: of the bootstrap.

    Raises:
        ValueError: thresholds of probabilities for a model that gives none.
    """
    if thresholds is not None and thresholds.on_probabilities and scores.probabilities is None:
        raise ValueError("thresholds of probabilities, and a model that gives none")
    judged = np.where(scores.trained, labels, np.nan)  # what a column that carries nothing says is not judged
    report = auroc_report(scores.findings, judged, scores.logits, patients, num_resamples=num_resamples, seed=seed)
    counted = tuple(_counted(row, labels[:, index]) for index, row in enumerate(report.findings))
    aurocs = replace(report, findings=counted)
    probabilities = np.full(judged.shape, np.nan) if scores.probabilities is None else scores.probabilities
    errors = calibration_error_by_finding(probabilities, judged)
    cut = scores.logits if thresholds is None or not thresholds.on_probabilities else probabilities
    findings = tuple(
        FindingReport(
            auroc=row,
            unknown=int(np.isnan(labels[:, index]).sum()),
            is_trained=bool(scores.trained[index]),
            average_precision=_average_precision(judged[:, index], scores.logits[:, index]),
            calibration_error=errors[index],
            brier=brier_score(probabilities[:, index], judged[:, index]),
            operating=None if thresholds is None else _cut(judged[:, index], cut[:, index], thresholds.values[index]),
        )
        for index, row in enumerate(counted)
    )
    return FindingsReport(
        num_images=len(labels),
        num_patients=len(set(patients)),
        aurocs=aurocs,
        findings=findings,
        calibration_error=None if set(errors) == {None} else expected_calibration_error(probabilities, judged),
        brier=brier_score(probabilities, judged),
        thresholds="" if thresholds is None else thresholds.origin,
    )


def _counted(row: FindingAuroc, labels: NDArray[np.float32]) -> FindingAuroc:
    return replace(row, positives=int((labels == 1).sum()), negatives=int((labels == 0).sum()))


def _average_precision(labels: NDArray[np.float32], logits: NDArray[np.float32]) -> float | None:
    known = ~np.isnan(labels)
    return average_precision(labels[known] == 1, logits[known])


def _cut(labels: NDArray[np.float32], scores: NDArray[np.floating], threshold: float) -> OperatingPoint | None:
    known = ~np.isnan(labels)
    if np.isnan(threshold) or not known.any():
        return None
    return operating_point(labels[known] == 1, scores[known], float(threshold))
