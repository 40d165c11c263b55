"""A report as text for a terminal, which is Markdown as well, and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from training.reproduction.contrasts import Difference
from training.reproduction.report import Line, Report

_HEADER = ("row", "what", "column", "paper", "measured", "95 % interval", "n", "note")
_TO_THE_RIGHT = frozenset({"paper", "measured", "n"})
_NOTHING = "-"


def as_text(report: Report) -> str:
    """Heading, table, differences."""
    table = report.table
    lines = [f"## {table.name}: {table.title}", ""]
    lines += [f"Judged by {text}." for text in report.judges]
    if report.changes:
        lines.append(f"Changed: {', '.join(report.changes)}.")
    lines += ["Shares in percent; intervals are bootstraps by patient.", *report.remarks, ""]
    lines += _aligned([_HEADER, *(_cells(line) for line in report.lines)])
    if report.differences:
        lines += ["", *(_sentence(difference) for difference in report.differences)]
    if report.panel:
        lines += ["", f"![{table.title}]({report.panel})"]
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """Every number unrounded."""
    content = {
        "table": report.table.name,
        "title": report.table.title,
        "judges": report.judges,
        "changes": report.changes,
        "remarks": report.remarks,
        "lines": [asdict(line) | {"note": line.note} for line in report.lines],
        "differences": [asdict(difference) for difference in report.differences],
        "panel": report.panel,
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    measured = line.measured
    value = low = high = n = None
    if measured is not None:
        value, low, high, n = measured.value, measured.low, measured.high, measured.n
    ends = "" if n is None or value is None else "undefined"
    if low is not None and high is not None:
        ends = f"{low:.1f} to {high:.1f}"
    return (
        line.key,
        line.label,
        line.column,
        _NOTHING if line.paper is None else f"{line.paper:g}" if line.paper % 1 else f"{line.paper:.1f}",
        _NOTHING if value is None else f"{value:.1f}",
        ends,
        "" if n is None else str(n),
        line.note,
    )


def _sentence(one: Difference) -> str:
    if one.value is None:
        return f"{one.first} minus {one.second}: {one.metric} is undefined."
    ends = "" if one.low is None or one.high is None else f" ({one.low:+.1f} to {one.high:+.1f}, paired bootstrap)"
    return f"{one.first} minus {one.second}: {one.value:+.1f} points of {one.metric}{ends}, {one.n} images."


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table; the first of `rows` is its header."""
    cells = [[cell.replace("|", "/") for cell in row] for row in rows]
    widths = [max(3, *(len(row[place]) for row in cells)) for place in range(len(_HEADER))]
    flush = [">" if name in _TO_THE_RIGHT else "<" for name in _HEADER]
    rule = ["-" * (width - 1) + {"<": "-", ">": ":"}[side] for width, side in zip(widths, flush, strict=True)]
    return [
        f"| {' | '.join(f'{cell:{side}{width}}' for cell, width, side in zip(row, widths, flush, strict=True))} |"
        for row in (cells[0], rule, *cells[1:])
    ]
