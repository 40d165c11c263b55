"""Figure 2: radiographs of which more and more is hidden, and what each network paints of them."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.recipes.table import PaperRow
from training.reproduction.canvas import canvas, show, write
from training.reproduction.pictures import Paint, paint_of, pictures
from training.reproduction.workshop import Workshop

RATIOS = (0.75, 0.80, 0.85, 0.90)
NUM = 3

_HIDDEN = 0.35  # the grey of what is hidden

Grid = NDArray[Any]  # of axes


def draw(rows: list[PaperRow], workshop: Workshop) -> Figure:
    """A block of lines for each picture: what is seen of it, then what each network paints.

    Visible patches are shown as they are. Of one picture, what a higher ratio shows is part of what a lower one shows.
    """
    shown, num_lines = pictures(workshop, NUM), 1 + len(rows)
    figure, axes = canvas(shown.num * num_lines, 1 + len(RATIOS), f"Hidden patches as they are painted\n{shown.origin}")
    for place, row in enumerate(rows):
        paint = paint_of(row, workshop)
        images = shown.at(paint.side_px, workshop)
        if place == 0:
            _draw_what_is_seen(axes[::num_lines], paint, images)
        lines = axes[place + 1 :: num_lines]
        for column, ratio in enumerate(RATIOS, start=1):
            painted, hidden = paint(images, _noise(paint, len(images)), ratio)
            for line, image in enumerate(np.where(hidden, painted, images / 255)):
                show(lines[line, column], image)
        for line in lines:
            write(line[0], row.label)
    for column, ratio in enumerate(RATIOS, start=1):
        axes[0, column].set_title(f"{ratio:.0%} hidden", fontsize=8)
    return figure


def _draw_what_is_seen(lines: Grid, paint: Paint, images: NDArray[np.uint8]) -> None:
    for column, ratio in enumerate(RATIOS, start=1):
        _, hidden = paint(images, _noise(paint, len(images)), ratio)
        for line, image in enumerate(np.where(hidden, _HIDDEN, images / 255)):
            show(lines[line, column], image)
    for line, image in zip(lines, images / 255, strict=True):
        show(line[0], image)


def _noise(paint: Paint, num_images: int) -> torch.Tensor:
    """The same for every ratio, so that masks are nested."""
    return torch.rand(num_images, paint.network.num_patches, generator=torch.Generator().manual_seed(0))
