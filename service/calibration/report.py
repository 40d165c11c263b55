"""What a site's calibration did, as Markdown tables."""

from collections.abc import Mapping, Sequence

from service.calibration.site_fit import FindingFit, SiteFit

_QUALITY = (
    "finding", "images", "positives", "fit", "ECE before", "ECE after", "ECE by chance", "Brier before", "Brier after",
)  # fmt: skip


def site_report(fit: SiteFit, display: Mapping[str, str], folds: int) -> str:
    """Quality before and after, then the thresholds.

    Args:
        display: names for people.
    """
    header = ("threshold", *fit.thresholds, "sensitivity of sensitive", "specificity of specific")
    return "\n".join(
        [
            *_table(_QUALITY, [_quality(row, display.get(row.name, row.name)) for row in (*fit.findings, fit.overall)]),
            "",
            f"*After* is cross-validated over {folds} folds of {fit.num_patients} patients: no image is judged by a",
            "fit that saw it. *By chance* is the error that the probabilities after would show if they were right.",
            "*Kept*: too few images of a kind, so the bundle's calibration and thresholds stand.",
            "",
            *_table(header, _thresholds(fit, display)),
            "",
            "Sensitivity and specificity are cross-validated, too: by thresholds from the other folds.",
        ]
    )


def _quality(row: FindingFit, name: str) -> list[str]:
    errors, briers = (
        [None if quality is None else getattr(quality, key) for quality in (row.before, row.after)]
        for key in ("error", "brier")
    )
    counts = [str(row.num_images), str(row.num_positives)]
    return [name, *counts, row.how, *map(_number, [*errors, row.by_chance, *briers])]


def _thresholds(fit: SiteFit, display: Mapping[str, str]) -> list[list[str]]:
    rows = [
        [
            display[row.name],
            *(f"{values[column]:.4f}" for values in fit.thresholds.values()),
            *map(_number, (row.sensitivity, row.specificity)),
        ]
        for column, row in enumerate(fit.findings)
    ]
    blank = [""] * len(fit.thresholds)
    return [*rows, [fit.overall.name, *blank, *map(_number, (fit.overall.sensitivity, fit.overall.specificity))]]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned, so that it reads as text, too; the first column is text."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = [f":{'-' * (width - 1)}" if place == 0 else f"{'-' * (width - 1)}:" for place, width in enumerate(widths)]
    return [
        "| "
        + " | ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (header, rule, *rows)
    ]
