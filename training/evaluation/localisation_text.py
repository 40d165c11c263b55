"""A localisation as tables and as JSON."""

from collections.abc import Mapping

from models.labels import display_name
from training.evaluation.box_precision import Precision
from training.evaluation.localisation_report import (
    CENTRED,
    IOU_THRESHOLDS,
    JUDGED_BY,
    MODEL,
    RANDOM,
    USUAL,
    Detection,
    FindingLocalisation,
    LocalisationReport,
)
from training.evaluation.report_json import Json
from training.evaluation.table import ends, number, table

_AP25, _AP50 = 0.25, 0.5
_CONTROLS = (CENTRED, RANDOM, USUAL)


def localisation_lines(report: LocalisationReport) -> list[str]:
    """AP25 and AP50 by finding, the controls', and precision by IoU over all findings."""
    pooled = report.findings[-1]
    header = ["finding", "cases", "patients", "size", "drawn", "AP25", "95 % interval", "AP50", "95 % interval"]
    controls = [f"{kind} {what}" for kind in _CONTROLS for what in ("AP25", "AP50", "mean IoU")]
    curve = ["IoU above", MODEL, "95 % interval", *_CONTROLS]
    for kind in JUDGED_BY:
        curve += [f"model - {kind}", "paired 95 %"]
    return [
        *table([*header, "mean IoU"], [_model_row(row) for row in report.findings]),
        "",
        "Boxes that never looked at the picture; the usual one is another patient's, where most of the finding are:",
        "",
        *table(["finding", *controls], [_control_row(row) for row in report.findings]),
        "",
        "All findings pooled, tp / (tp + fp):",
        "",
        *table(curve, [_curve_row(report, pooled, threshold) for threshold in IOU_THRESHOLDS]),
    ]


def localisation_json(report: LocalisationReport) -> Json:
    """Every number, unrounded; `finding` is null for all findings pooled."""
    return {
        "findings": [
            {
                "finding": row.finding,
                "cases": row.cases,
                "patients": row.patients,
                "size": row.size,
                "by": {kind: _detection(detection) for kind, detection in row.by.items()},
            }
            for row in report.findings
        ],
        **{f"model_minus_{kind.replace(' ', '_')}": _precisions(report.advantage[kind]) for kind in JUDGED_BY},
    }


def _name(row: FindingLocalisation) -> str:
    return "all" if row.finding is None else display_name(row.finding)


def _model_row(row: FindingLocalisation) -> list[str]:
    model = row.by[MODEL]
    cells = [_name(row), str(row.cases), str(row.patients), number(row.size), str(model.boxes)]
    return [*cells, *_both(model, _AP25), *_both(model, _AP50), number(model.mean_iou)]


def _control_row(row: FindingLocalisation) -> list[str]:
    cells = [_name(row)]
    for kind in _CONTROLS:
        control = row.by[kind]
        cells += [number(control.precision[at].value) for at in (_AP25, _AP50)]
        cells.append(number(control.mean_iou))
    return cells


def _curve_row(report: LocalisationReport, pooled: FindingLocalisation, threshold: float) -> list[str]:
    controls = [number(pooled.by[kind].precision[threshold].value) for kind in _CONTROLS]
    last = []
    for kind in JUDGED_BY:
        advantage = report.advantage[kind][threshold]
        last += [_signed(advantage.value), ends(advantage.interval)]
    return [f"{threshold:.2f}", *_both(pooled.by[MODEL], threshold), *controls, *last]


def _both(detection: Detection, threshold: float) -> list[str]:
    precision = detection.precision[threshold]
    return [number(precision.value), ends(precision.interval)]


def _signed(value: float | None) -> str:
    return number(value) if value is None else f"{value:+.3f}"


def _detection(detection: Detection) -> Json:
    return {
        "boxes": detection.boxes,
        "mean_iou": detection.mean_iou,
        "precision": _precisions(detection.precision),
    }


def _precisions(by_threshold: Mapping[float, Precision]) -> Json:
    return [
        {
            "iou": threshold,
            "value": precision.value,
            "interval": None if precision.interval is None else list(precision.interval),
        }
        for threshold, precision in by_threshold.items()
    ]
