"""Grids of pictures, by matplotlib."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

_CELL_IN, _HEAD_IN = 1.5, 0.45
_TEXT_PT = 8
_PAD_IN = 0.04  # above and below the title, which headings would touch otherwise


def canvas(num_rows: int, num_columns: int, title: str) -> tuple[Figure, NDArray[Any]]:
    """An empty grid of cells: the figure, and its axes (num_rows, num_columns)."""
    size = (num_columns * _CELL_IN, num_rows * _CELL_IN + _HEAD_IN)
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=_PAD_IN, wspace=0, hspace=0)  # type: ignore[union-attr, call-arg]  # constrained layout's own
    figure.suptitle(title, fontsize=_TEXT_PT)
    axes = figure.subplots(num_rows, num_columns, squeeze=False)
    for one in axes.flat:
        one.set_axis_off()
    return figure, axes


def show(axes: Axes, image: NDArray[np.floating] | NDArray[np.uint8], title: str = "") -> None:
    """(H, W) grey in [0, 1], or (H, W, 3) RGB."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    if title:
        axes.set_title(title, fontsize=_TEXT_PT)


def name_line(axes: Axes, text: str) -> None:
    """Words to the left of a line's first cell, upwards."""
    axes.text(-0.03, 0.5, text, transform=axes.transAxes, rotation=90, ha="right", va="center", fontsize=_TEXT_PT)


def write(axes: Axes, text: str) -> None:
    """Words in the middle of a cell, broken at commas and spaces so that they fit."""
    axes.text(0.5, 0.5, text.replace(", ", ",\n").replace(" ", "\n"), ha="center", va="center", fontsize=_TEXT_PT)
