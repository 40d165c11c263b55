"""Curves on axes of [0, 1], and outlines on pictures, by matplotlib."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from models.imaging.geometry import Box

_CELL_IN, _HEAD_IN = 2.1, 0.6
_TITLE_PT, _TEXT_PT, _TICK_PT = 8, 7, 6
_LETTER_IN, _LINE_IN = 0.065, 0.14  # of the title: a letter's width, amply, and a line's height
_LINE, _DIAGONAL, _TEXT = "#1f5a94", "#b0b0b0", "#303030"


def charts(num_rows: int, num_columns: int, title: str) -> tuple[Figure, NDArray[Any]]:
    """A grid of square axes from 0 to 1 with a diagonal: the figure, and its axes (num_rows, num_columns)."""
    width_in = num_columns * _CELL_IN
    given = title.splitlines()
    lines = [part for line in given for part in wrap(line, int(width_in / _LETTER_IN))]
    height_in = num_rows * _CELL_IN + _HEAD_IN + (len(lines) - len(given)) * _LINE_IN
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    figure.suptitle("\n".join(lines), fontsize=_TITLE_PT)
    axes = figure.subplots(num_rows, num_columns, squeeze=False)
    for one in axes.flat:
        one.set_axis_off()
    return figure, axes


def begin(axes: Axes, title: str, labels: tuple[str, str], *, is_square_root: bool = False) -> None:
    """Make one of the grid's axes visible; the others stay empty.

    Args:
        axes: of `charts`.
        title: above it.
        labels: of the horizontal and of the vertical axis.
        is_square_root: stretch what is near 0, where the probabilities of rare findings lie.
    """
    axes.set_axis_on()
    axes.plot([0, 1], [0, 1], color=_DIAGONAL, linewidth=0.8)
    if is_square_root:
        for set_scale in (axes.set_xscale, axes.set_yscale):
            set_scale("function", functions=(_root, np.square))
        ticks = [0, 0.05, 0.2, 0.5, 1]
    else:
        ticks = [0, 0.5, 1]
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=ticks, yticks=ticks, aspect="auto" if is_square_root else "equal")
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.set_yticklabels([f"{tick:g}" for tick in ticks])
    axes.tick_params(labelsize=_TICK_PT, length=2)
    axes.set_title(title, fontsize=_TITLE_PT)
    axes.set_xlabel(labels[0], fontsize=_TEXT_PT)
    axes.set_ylabel(labels[1], fontsize=_TEXT_PT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def curve(axes: Axes, x: NDArray[np.floating], y: NDArray[np.floating], legend: str) -> None:
    """A line from corner to corner, and its legend in the corner that a curve above the diagonal leaves free."""
    (line,) = axes.plot(x, y, color=_LINE, linewidth=1.2, label=legend, clip_on=False)
    axes.legend(handles=[line], fontsize=_TEXT_PT, loc="lower right", frameon=False, handlelength=0, borderpad=0)


def points(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    captions: Sequence[str],
) -> None:
    """Points with vertical intervals, each with its caption above."""
    for at, value, (low, high), text in zip(x, y, intervals, captions, strict=True):
        axes.plot([at, at], [low, high], color=_LINE, linewidth=0.8)
        axes.plot([at], [value], "o", color=_LINE, markersize=3)
        axes.annotate(
            text, (at, high), (0, 2), textcoords="offset points", fontsize=5, rotation=90, ha="center", color=_TEXT
        )


def remark(axes: Axes, text: str) -> None:
    """Words in the lower right corner."""
    axes.text(0.98, 0.03, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=_TEXT_PT, color=_TEXT)


def outline(axes: Axes, box: Box, colour: str, style: Literal["-", "--"] = "-") -> None:
    """A rectangle in pixels of the picture that the axes show."""
    corner = (box.left - 0.5, box.top - 0.5)  # matplotlib has pixel centres at whole numbers
    size = (box.right - box.left, box.bottom - box.top)
    axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=1.3, linestyle=style))


def _root(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Square root that takes what lies below 0, which matplotlib asks for at the margins, for 0."""
    roots: NDArray[np.floating] = np.sqrt(np.maximum(values, 0))
    return roots
