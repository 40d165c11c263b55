"""Tables that read well in a terminal and are Markdown as they stand; numbers that are undefined say so."""

from collections.abc import Sequence

UNDEFINED = "undefined"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, the first column to the left, all others to the right."""
    lines = [header, *rows]
    if any(len(line) != len(header) for line in lines):
        raise ValueError("rows of several lengths")
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(header))]
    rule = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return [_line(line, widths) for line in (header, rule, *rows)]


def number(value: float | None, digits: int = 3) -> str:
    """To so many digits, or `undefined`."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def ends(interval: tuple[float | None, float | None] | None, digits: int = 3) -> str:
    """`low to high`; empty where there is none, because the value beside it says why."""
    if interval is None or interval[0] is None or interval[1] is None:
        return ""
    return f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def p_value(value: float | None) -> str:
    """Three digits, and no 0.000."""
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join([first, *rest])} |"
