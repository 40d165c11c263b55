"""Sheets to look at: implants beside their maps, and what is painted of normals as more and more is hidden."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from models.imaging.overlay import overlay
from models.runtime.anomaly import AnomalyDetector
from models.runtime.session import Session
from training.anomaly.benchmark import Case
from training.reproduction.canvas import canvas, name_line, show

RATIOS = (0.75, 0.80, 0.85, 0.90)

_OUTLINE = (255, 64, 64)
_HIDDEN = 0.35  # the grey of what is hidden


def draw_maps(cases: Sequence[Case], detector: AnomalyDetector, title: str) -> Figure:
    """A line a case: the picture, where its anomaly is, what the network paints, and the map over it."""
    figure, axes = canvas(len(cases), 4, title)
    for line, case in zip(axes, cases, strict=True):
        image = case.shown.image
        (anomaly,) = detector.run(image[None, None], [case.shown.letterbox.content])
        show(line[0], image / 255)
        name_line(line[0], case.kind)
        show(line[1], _outlined(image, case.truth))
        show(line[2], np.nan_to_num(anomaly.reconstruction))
        show(line[3], overlay(image, anomaly.scaled))
    for axis, name in zip(axes[0], ("picture", "truth", "painted", "map"), strict=True):
        axis.set_title(name, fontsize=8)
    return figure


def draw_reconstructions(cases: Sequence[Case], session: Session, grid: int, title: str) -> Figure:
    """Two lines a case: what one random mask leaves of it, and the painting; visible patches as they are."""
    figure, axes = canvas(2 * len(cases), 1 + len(RATIOS), title)
    order = np.random.Generator(np.random.PCG64(0)).permutation(grid**2)
    for place, case in enumerate(cases):
        image = case.shown.image / 255
        show(axes[2 * place, 0], image)
        for column, ratio in enumerate(RATIOS, start=1):
            keep = np.sort(order[: int(grid**2 * (1 - ratio))])[None].astype(np.int64)
            (painted,) = session.run({"image": case.shown.image[None, None], "keep": keep}, ["reconstruction"])
            hidden = np.isfinite(painted[0, 0])
            show(axes[2 * place, column], np.where(hidden, _HIDDEN, image), f"{ratio:.0%} hidden" if not place else "")
            show(axes[2 * place + 1, column], np.where(hidden, painted[0, 0], image))
    return figure


def _outlined(image: NDArray[np.uint8], truth: NDArray[np.bool_]) -> NDArray[Any]:
    """(S, S, 3) RGB, a line round the anomaly."""
    coloured = np.repeat(image[..., None], 3, axis=2)
    coloured[binary_dilation(truth) & ~truth] = _OUTLINE
    return coloured
