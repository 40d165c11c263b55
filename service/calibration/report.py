"""What a site's calibration did, as Markdown tables."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from service.calibration.site_fit import FindingFit, SiteFit

_HEADER = (
    "finding", "images", "positives", "fit", "ECE before", "ECE after", "ECE by chance", "Brier before", "Brier after",
)  # fmt: skip


def site_report(fit: SiteFit, display: Mapping[str, str], folds: int) -> str:
    """Quality before and after, then the thresholds.

    Args:
        display: names for people.
    """
    rows = [_row(row, display.get(row.name, row.name)) for row in (*fit.findings, fit.overall)]
    names = [display[row.name] for row in fit.findings]
    return "\n".join(
        [
            *_table(_HEADER, rows),
            "",
            f"*After* is cross-validated over {folds} folds of {fit.num_patients} patients: no image is judged by a",
            "fit that saw it. *By chance* is the error that the probabilities after would show if they were right.",
            "*Kept*: too few images of a kind, so the bundle's calibration and thresholds stand.",
            "",
            *_table(("threshold", *fit.thresholds), _threshold_rows(names, fit.thresholds)),
        ]
    )


def _threshold_rows(names: Sequence[str], thresholds: Mapping[str, NDArray[np.float64]]) -> list[list[str]]:
    return [[name, *(f"{values[column]:.4f}" for values in thresholds.values())] for column, name in enumerate(names)]


def _row(row: FindingFit, name: str) -> list[str]:
    before, after = row.before, row.after
    return [
        name,
        str(row.num_images),
        str(row.num_positives),
        row.how,
        *map(_number, (before and before.error, after and after.error, row.by_chance)),
        *map(_number, (before and before.brier, after and after.brier)),
    ]


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
