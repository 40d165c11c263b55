"""What changes do to probabilities, as tables and as JSON."""

from collections.abc import Sequence

from training.evaluation.report_json import Json
from training.evaluation.stability import GOAL, Change, Median
from training.evaluation.table import ends, table

_HEADER = (
    "change",
    "images",
    "largest",
    "median by image",
    "95 % interval",
    "median by pair",
    "95 % interval",
    "flips",
)
_DIGITS = 4


def stability_lines(rows: Sequence[Change]) -> list[str]:
    """Largest and median changes of probability; then which rows miss the goal, and which are faults."""
    lines = table(_HEADER, [_cells(row) for row in rows])
    lines += [
        "",
        "Absolute changes of calibrated probability. By image: the largest change among an image's findings, median",
        "over images; by pair: median over all pairs of image and finding. Flips: share of pairs that cross their",
        "threshold.",
        "",
    ]
    missed = [f"{row.name} ({row.by_image.value:.{_DIGITS}f})" for row in rows if not row.meets_goal]
    verdict = f"missed by {', '.join(missed)}" if missed else "met by every row"
    lines.append(f"Goal, median by image below {GOAL}: {verdict}.")
    lines += [f"FAULT: {row.name}: the same pixels got another answer." for row in rows if row.is_faulty]
    return lines


def stability_json(rows: Sequence[Change]) -> Json:
    """Every number unrounded."""
    return [
        {
            "change": row.name,
            "images": row.num_images,
            "pairs": row.num_pairs,
            "largest": row.largest,
            "median_by_image": _median(row.by_image),
            "median_by_pair": _median(row.by_pair),
            "flips": row.flips,
            "lossless": row.is_lossless,
            "goal_met": row.meets_goal,
        }
        for row in rows
    ]


def _cells(row: Change) -> list[str]:
    cells = [row.name, str(row.num_images), f"{row.largest:.{_DIGITS}f}"]
    for median in (row.by_image, row.by_pair):
        cells += [f"{median.value:.{_DIGITS}f}", ends(median.interval, _DIGITS)]
    return [*cells, f"{row.flips:.{_DIGITS}f}"]


def _median(median: Median) -> Json:
    return {"value": median.value, "interval": None if median.interval is None else list(median.interval)}
