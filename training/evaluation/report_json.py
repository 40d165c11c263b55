"""Reports as JSON: every number of the tables unrounded, with names that can be relied on; undefined is null."""

import math
from collections.abc import Sequence
from typing import TypeAlias

from training.evaluation.comparison import Comparison, Difference
from training.evaluation.exclusive import ExclusiveReport
from training.evaluation.operating import OperatingPoint
from training.evaluation.report import FindingReport, FindingsReport
from training.evaluation.subgroups import SubgroupReport
from training.metrics import AurocReport, FindingAuroc

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | float | int | None


def findings_json(report: FindingsReport) -> Json:
    """As the tables of findings and of operating points."""
    return {
        "images": report.num_images,
        "patients": report.num_patients,
        "mean_auroc": _mean(report.aurocs),
        "calibration_error": report.calibration_error,
        "brier": report.brier,
        "thresholds": report.thresholds or None,
        "findings": [_finding(row) for row in report.findings],
    }


def subgroups_json(reports: Sequence[SubgroupReport]) -> Json:
    """One object a group."""
    return [
        {
            "field": report.field,
            "value": report.value,
            "images": report.num_images,
            "patients": report.num_patients,
            "mean_auroc": _mean(report.aurocs),
            "findings": [_auroc(row) for row in report.aurocs.findings],
        }
        for report in reports
    ]


def comparison_json(comparison: Comparison) -> Json:
    """First model minus second."""
    mean_a, mean_b = comparison.mean_a, comparison.mean_b
    return {
        "mean_auroc_a": mean_a,
        "mean_auroc_b": mean_b,
        "difference": None if mean_a is None or mean_b is None else mean_a - mean_b,
        "interval": _list(comparison.interval),
        "findings_defined": comparison.num_defined,
        "findings": [_difference(row) for row in comparison.findings],
    }


def exclusive_json(report: ExclusiveReport) -> Json:
    """Accuracy, classes, confusion."""
    return {
        "accuracy": report.accuracy,
        "accuracy_interval": _list(report.accuracy_interval),
        "unmerged_accuracy": report.unmerged_accuracy,
        "classes": [
            {
                "name": part.name,
                "labelled": part.labelled,
                "predicted": part.predicted,
                "correct": part.correct,
                "sensitivity": part.sensitivity,
                "sensitivity_interval": _list(part.sensitivity_interval),
                "ppv": part.ppv,
                "ppv_interval": _list(part.ppv_interval),
                "auroc": part.auroc,
            }
            for part in report.classes
        ],
        "confusion": report.confusion.tolist(),
    }


def _finding(row: FindingReport) -> Json:
    return {
        **_auroc(row.auroc),
        "unknown": row.unknown,
        "trained": row.is_trained,
        "prevalence": row.prevalence,
        "average_precision": row.average_precision,
        "calibration_error": row.calibration_error,
        "brier": row.brier,
        "operating_point": None if row.operating is None else _operating(row.operating),
    }


def _auroc(row: FindingAuroc) -> dict[str, Json]:
    return {
        "finding": row.finding,
        "positives": row.positives,
        "negatives": row.negatives,
        "auroc": row.value,
        "interval": None if row.low is None else [row.low, row.high],
    }


def _mean(report: AurocReport) -> Json:
    return {
        "value": report.mean,
        "interval": None if report.low is None else [report.low, report.high],
        "findings_defined": report.num_defined,
    }


def _operating(point: OperatingPoint) -> Json:
    return {
        # JSON has no infinity: a threshold above every score, which calls nothing positive.
        "threshold": point.threshold if math.isfinite(point.threshold) else "inf",
        "true_positives": point.true_positives,
        "false_positives": point.false_positives,
        "true_negatives": point.true_negatives,
        "false_negatives": point.false_negatives,
        "sensitivity": point.sensitivity,
        "specificity": point.specificity,
        "ppv": point.ppv,
        "npv": point.npv,
    }


def _difference(row: Difference) -> Json:
    test = row.delong
    return {
        "finding": row.finding,
        "auroc_a": None if test is None else test.auroc_a,
        "auroc_b": None if test is None else test.auroc_b,
        "difference": None if test is None else test.difference,
        "delong_standard_error": None if test is None else test.standard_error,
        "delong_interval": None if test is None or test.low is None else [test.low, test.high],
        "delong_p": None if test is None else test.p_value,
        "bootstrap_interval": _list(row.interval),
    }


def _list(interval: tuple[float, float] | None) -> Json:
    return None if interval is None else list(interval)
