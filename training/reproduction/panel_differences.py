"""Figure 3: radiographs with findings, what a masked autoencoder paints of them, and where the two differ."""

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.imaging.heatmap import colourise
from models.imaging.overlay import overlay
from models.nets.mae import MaskedAutoencoder
from models.nets.masking import keep_count
from training.recipes.table import PaperRow
from training.recipes.types import PretrainRecipe
from training.reproduction.canvas import canvas, show
from training.reproduction.pictures import Paint, paint_of, pictures
from training.reproduction.workshop import Workshop

NUM = 4
ROUNDS = 4  # of complementary masks

_RELEASED_RATIO = 0.90  # what medical_mae's transformers were trained with
_BRIGHTEST = 0.25  # a difference, in grey levels of [0, 1], that is shown as white hot


def draw(rows: list[PaperRow], workshop: Workshop) -> Figure:
    """For each picture a line: itself, its reconstruction, the difference, and the difference over the picture.

    The first row's network draws. Each patch is painted from what surrounds it: the reconstruction is the mean over
    the masks that hid the patch.
    """
    row = rows[0]
    paint = paint_of(row, workshop)
    if not isinstance(paint.network, MaskedAutoencoder):
        raise ValueError(f"{row.key}: the network is no masked autoencoder")  # noqa: TRY004  # the row's mistake
    ratio = row.recipe.mask_ratio if isinstance(row.recipe, PretrainRecipe) else _RELEASED_RATIO
    shown = pictures(workshop, NUM, with_findings=True)
    images = shown.at(paint.side_px, workshop)
    painted = mean_painting(paint, images, ratio)
    figure, axes = canvas(len(images), 4, f"{row.label}, {ratio:.0%} hidden at a time\n{shown.origin}")
    names = [", ".join(sorted(one.labels)) for one in shown.rows] or [""] * len(images)
    for line, image in enumerate(images):
        difference = np.abs(image / np.float32(255) - painted[line]) / _BRIGHTEST
        show(axes[line, 0], image / 255, names[line])
        show(axes[line, 1], painted[line])
        show(axes[line, 2], colourise(difference))
        show(axes[line, 3], overlay(image, np.clip(difference, 0, 1)))
    for column, title in enumerate(("reconstruction", "difference", "over the picture"), start=1):
        axes[0, column].set_title(title, fontsize=8)
    return figure


def mean_painting(paint: Paint, images: NDArray[np.uint8], mask_ratio: float) -> NDArray[np.float32]:
    """Every patch as it is painted while hidden: (B, S, S) in [0, 1].

    A round cuts the patches into groups of as many as stay visible, in random order, and shows one group at a time; a
    patch is hidden in all passes but its own.
    """
    num_patches = paint.network.num_patches
    group = keep_count(num_patches, mask_ratio)
    generator = torch.Generator().manual_seed(0)
    total, count = np.zeros(images.shape, np.float32), np.zeros(images.shape, np.float32)
    for _ in range(ROUNDS):
        order = torch.randperm(num_patches, generator=generator)
        for begin in range(0, num_patches - group + 1, group):
            noise = torch.ones(len(images), num_patches)
            noise[:, order[begin : begin + group]] = 0
            painted, hidden = paint(images, noise, mask_ratio)
            total += np.where(hidden, painted, 0)
            count += hidden
    return total / count
