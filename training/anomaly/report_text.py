"""The benchmark's report as tables and as JSON."""

import math

from training.anomaly.benchmark import CLEAN
from training.anomaly.report import (
    ALL,
    AP,
    AUROC,
    BY_IMAGE,
    LARGEST_SCORE,
    MEAN_SCORE,
    GroupReport,
    Number,
)
from training.anomaly.whole import WholeReport
from training.evaluation.report_json import Json
from training.evaluation.table import ends, number, table


def group_lines(report: GroupReport) -> list[str]:
    """Pixels over all kinds, pixels by kind, and, where there are clean pictures, images by kind and seams."""
    kinds = [kind for kind in report.methods if kind != ALL]
    lines = _pixel_lines(report)
    if len(kinds) > 1:
        head = [f"{kind} ({report.prevalence[kind]:.3f})" for kind in kinds]
        lines += ["", "Pixels by kind, AUROC / AP (share of pixels inside):", ""]
        lines += table(["map", *head], [_kind_row(report, name, kinds) for name in report.methods[ALL]])
    if report.cases[CLEAN]:
        lines += [
            "",
            f"Pictures with an anomaly against {report.cases[CLEAN]} without, AUROC by mean / largest value:",
            "",
        ]
        lines += table(["map", *report.methods], [_image_row(report, name) for name in report.methods[ALL]])
        seams = [f"{name} {number(_finite(value), 2)}" for name, value in report.seams.items()]
        lines += ["", f"Seams on clean pictures, median of on / off the patch lattice: {', '.join(seams)}."]
    return lines


def group_json(report: GroupReport) -> Json:
    """Every number, unrounded."""
    return {
        "cases": {**report.cases},
        "patients": {**report.patients},
        "prevalence": {**report.prevalence},
        "kinds": {
            kind: {name: {what: _json(one) for what, one in numbers.items()} for name, numbers in methods.items()}
            for kind, methods in report.methods.items()
        },
        "product_against": {
            kind: {
                name: {"auroc_difference": _json(gain[AUROC]), "ap_ratio": _json(gain[AP])}
                for name, gain in gains.items()
            }
            for kind, gains in report.gains.items()
        },
        "seams": {name: _finite(value) for name, value in report.seams.items()},
    }


def whole_lines(report: WholeReport) -> list[str]:
    """A row a method: by mean and by largest value, each with the product's lead by it."""
    header = ["map", "by mean", "95 %", "product - it", "95 %", "by largest value", "95 %", "product - it", "95 %"]
    rows = []
    for name, numbers in report.methods.items():
        row, gain = [name], report.gains.get(name)
        for what in (MEAN_SCORE, LARGEST_SCORE):
            row += [*_cells(numbers[what]), *(_cells(gain[what], sign="+") if gain else ["", ""])]
        rows.append(row)
    return table(header, rows)


def whole_json(report: WholeReport) -> Json:
    """Every number, unrounded."""
    return {
        "with": report.num_with,
        "without": report.num_without,
        "patients": report.num_patients,
        "methods": {name: {what: _json(one) for what, one in n.items()} for name, n in report.methods.items()},
        "product_minus": {name: {what: _json(one) for what, one in n.items()} for name, n in report.gains.items()},
    }


def _pixel_lines(report: GroupReport) -> list[str]:
    header = ["map", AUROC, "95 %", "by image", AP, "95 %", "product - it", "95 %", "product AP / it", "95 %"]
    rows = []
    for name, numbers in report.methods[ALL].items():
        row = [name, *_cells(numbers[AUROC]), number(_value(numbers[BY_IMAGE])), *_cells(numbers[AP])]
        gain = report.gains[ALL].get(name)
        row += [*_cells(gain[AUROC], sign="+"), *_cells(gain[AP], digits=2)] if gain else [""] * 4
        rows.append(row)
    return table(header, rows)


def _kind_row(report: GroupReport, name: str, kinds: list[str]) -> list[str]:
    both = [(report.methods[kind][name][AUROC], report.methods[kind][name][AP]) for kind in kinds]
    return [name, *(f"{number(_value(one))} / {number(_value(other))}" for one, other in both)]


def _image_row(report: GroupReport, name: str) -> list[str]:
    both = [(numbers[name][MEAN_SCORE], numbers[name][LARGEST_SCORE]) for numbers in report.methods.values()]
    return [name, *(f"{number(_value(one))} / {number(_value(other))}" for one, other in both)]


def _cells(one: Number, digits: int = 3, sign: str = "") -> list[str]:
    value = _value(one)
    return [number(value, digits) if value is None else f"{value:{sign}.{digits}f}", ends(one.interval, digits)]


def _json(one: Number) -> Json:
    return {"value": _finite(one.value), "interval": None if one.interval is None else list(one.interval)}


def _value(one: Number) -> float | None:
    return _finite(one.value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
