"""Reports as tables; each function gives the lines of one section."""

from collections.abc import Sequence

from models.labels import display_name
from training.evaluation.comparison import Comparison
from training.evaluation.exclusive import ExclusiveReport
from training.evaluation.operating import OperatingPoint, pooled
from training.evaluation.report import FindingReport, FindingsReport
from training.evaluation.subgroups import SubgroupReport
from training.evaluation.table import UNDEFINED, ends, number, p_value, table
from training.metrics import AurocReport


def findings_lines(report: FindingsReport) -> list[str]:
    """Discrimination and calibration of every finding, and the mean with the number of findings it is over."""
    calibrated = report.calibration_error is not None
    unknown = any(row.unknown for row in report.findings)
    header = ["finding", "with", "without", *(["unknown"] if unknown else [])]
    header += ["prevalence", "AUROC", "95 % interval", "AUPRC", *(["ECE", "Brier"] if calibrated else [])]
    rows = [_finding_row(row, unknown=unknown, calibrated=calibrated) for row in report.findings]
    aurocs, blank = report.aurocs, [""] * (3 + unknown)
    mean = [_mean_name(aurocs), *blank, number(aurocs.mean), ends((aurocs.low, aurocs.high)), ""]
    rows.append(mean + (["", ""] if calibrated else []))
    lines = [*table(header, rows), *_reasons(report)]
    if untrained := [display_name(row.auroc.finding) for row in report.findings if not row.is_trained]:
        lines += ["", f"The model was not trained for: {', '.join(untrained)}."]
    if calibrated:
        errors = f"ECE {number(report.calibration_error)}, Brier {number(report.brier)}"
        lines += ["", f"All findings pooled: {errors}. Where calibration was fitted on these images, both flatter."]
    return lines


def _reasons(report: FindingsReport) -> list[str]:
    """One line that says why a cell of the table has no number; none where all have."""
    trained = [row.auroc for row in report.findings if row.is_trained]
    reasons = []
    if any(row.value is None for row in trained):
        reasons.append("Undefined: no image with the finding, or none without.")
    if any(row.value is not None and row.low is None for row in trained):
        reasons.append("No interval: too few patients with the finding, or without, or the same AUROC in all draws.")
    if report.aurocs.mean is not None and report.aurocs.low is None:
        reasons.append("No interval of the mean: too few draws have all of its findings, or all draws agree.")
    return ["", " ".join(reasons)] if reasons else []


def operating_lines(report: FindingsReport) -> list[str]:
    """Counts and shares at the thresholds; none where there are no thresholds."""
    if not report.thresholds:
        return []
    rows, points = [], []
    for row in report.findings:
        point = row.operating
        if point is None:
            rows.append([display_name(row.auroc.finding), UNDEFINED, *[""] * 8])
            continue
        points.append(point)
        rows.append([display_name(row.auroc.finding), number(point.threshold), *_operating_cells(point)])
    rows.append(["all together", "", *_operating_cells(pooled(points))])
    header = ["finding", "threshold", "TP", "FP", "TN", "FN", "sensitivity", "specificity", "PPV", "NPV"]
    note = "Where they were chosen on these images, the shares flatter."
    return [f"At thresholds from {report.thresholds}. {note}", "", *table(header, rows)]


def _operating_cells(point: OperatingPoint) -> list[str]:
    counts = point.true_positives, point.false_positives, point.true_negatives, point.false_negatives
    shares = point.sensitivity, point.specificity, point.ppv, point.npv
    return [*map(str, counts), *map(number, shares)]


def subgroup_lines(reports: Sequence[SubgroupReport]) -> list[str]:
    """For each field a table of means, and a table of findings over the groups that are not small."""
    lines: list[str] = []
    for field in dict.fromkeys(report.field for report in reports):
        groups = [report for report in reports if report.field == field]
        header = [field, "images", "patients", "findings defined", "mean AUROC", "95 % interval"]
        lines += ["", *table(header, [_group_row(group) for group in groups])]
        if large := [group for group in groups if not group.is_small]:
            by_finding = [
                [display_name(row.finding), *(_value_and_count(group.aurocs, index) for group in large)]
                for index, row in enumerate(large[0].aurocs.findings)
            ]
            lines += ["", *table(["AUROC (images with)", *(group.value for group in large)], by_finding)]
    return lines[1:]


def comparison_lines(comparison: Comparison, name_a: str, name_b: str) -> list[str]:
    """Difference of AUROC by finding and on average."""
    rows = []
    for row in comparison.findings:
        test = row.delong
        if test is None:
            rows.append([display_name(row.finding), *[UNDEFINED] * 3, "", "", ""])
            continue
        cells = [number(test.auroc_a), number(test.auroc_b), f"{test.difference:+.3f}"]
        cells += [ends((test.low, test.high)), p_value(test.p_value), ends(row.interval)]
        rows.append([display_name(row.finding), *cells])
    mean_a, mean_b = comparison.mean_a, comparison.mean_b
    difference = UNDEFINED if mean_a is None or mean_b is None else f"{mean_a - mean_b:+.3f}"
    name = f"mean of {comparison.num_defined} of {len(comparison.findings)} defined"
    rows.append([name, number(mean_a), number(mean_b), difference, "", "", ends(comparison.interval)])
    header = ["AUROC", "A", "B", "A - B", "DeLong 95 %", "DeLong p", "paired bootstrap 95 %"]
    return [
        f"A is {name_a}, B is {name_b}, on the same images.",
        "",
        *table(header, rows),
        "",
        "DeLong takes images as independent and needs more than a handful of positives; the bootstrap draws patients.",
        f"No p is corrected for {len(rows) - 1} tests.",
    ]


def exclusive_lines(report: ExclusiveReport) -> list[str]:
    """Accuracy, then every class, then who is taken for whom."""
    rows = [
        [
            part.name,
            str(part.labelled),
            number(part.sensitivity),
            ends(part.sensitivity_interval),
            number(part.ppv),
            ends(part.ppv_interval),
            number(part.auroc),
        ]
        for part in report.classes
    ]
    header = ["class", "images", "sensitivity", "95 % interval", "PPV", "95 % interval", "AUROC against the rest"]
    names = [part.name for part in report.classes]
    confused = [[name, *map(str, line)] for name, line in zip(names, report.confusion.tolist(), strict=True)]
    accuracy = f"Accuracy {number(report.accuracy)} ({ends(report.accuracy_interval)})"
    if report.unmerged_accuracy != report.accuracy:
        accuracy += f"; {number(report.unmerged_accuracy)} before merging"
    return [f"{accuracy}.", "", *table(header, rows), "", *table(["is \\ said to be", *names], confused)]


def _finding_row(row: FindingReport, *, unknown: bool, calibrated: bool) -> list[str]:
    auroc = row.auroc
    cells = [display_name(auroc.finding), str(auroc.positives), str(auroc.negatives)]
    cells += [str(row.unknown)] if unknown else []
    cells += [number(row.prevalence), number(auroc.value), ends((auroc.low, auroc.high))]
    cells.append(number(row.average_precision))
    return cells + ([number(row.calibration_error), number(row.brier)] if calibrated else [])


def _group_row(group: SubgroupReport) -> list[str]:
    aurocs, counts = group.aurocs, [group.value, str(group.num_images), str(group.num_patients)]
    if group.is_small:
        return [*counts, "", "too few", ""]
    defined = f"{aurocs.num_defined} of {len(aurocs.findings)}"
    return [*counts, defined, number(aurocs.mean), ends((aurocs.low, aurocs.high))]


def _mean_name(aurocs: AurocReport) -> str:
    return f"mean of {aurocs.num_defined} of {len(aurocs.findings)} defined"


def _value_and_count(aurocs: AurocReport, index: int) -> str:
    row = aurocs.findings[index]
    return f"{number(row.value)} ({row.positives})"
