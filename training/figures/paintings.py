"""What a bundle's masked autoencoder paints: of pictures that are mostly hidden, and where it departs from them.

After figures 2 and 3 of arXiv:2210.12843, through the graph that serves.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.imaging.heatmap import colourise
from models.imaging.overlay import overlay
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import Bundle
from models.runtime.manifest import ReconstructorSpec
from models.runtime.session import Session, open_session
from training.figures.chart import outline
from training.figures.subjects import Subject
from training.reproduction.canvas import canvas, show

HIDDEN_PERCENT = (75, 90)
FOUND = "#ffffff"

_HIDDEN_GREY = 0.35


def draw_reconstructions(bundle: Bundle, subjects: Sequence[Subject], title: str, threads: int) -> Figure:
    """A line a picture: itself, then for each share what is seen of it and what is painted; one mask, not a mean.

    Of one picture, what a higher share shows is part of what a lower one shows. Visible patches stay as they are.
    """
    spec = _spec(bundle)
    session = open_session(bundle.files[spec.file], threads=threads)
    figure, axes = canvas(len(subjects), 1 + 2 * len(HIDDEN_PERCENT), f"Hidden patches as they are painted\n{title}")
    for line, subject in enumerate(subjects):
        show(axes[line, 0], subject.image / 255, subject.caption)
        for place, percent in enumerate(HIDDEN_PERCENT):
            visible = visible_patches(spec, percent, seed=line)
            hidden = hidden_pixels(spec, visible)
            seen, painted = axes[line, 1 + 2 * place : 3 + 2 * place]
            show(seen, np.where(hidden, _HIDDEN_GREY, subject.image / 255))
            show(painted, np.where(hidden, _paint(session, subject.image, visible), subject.image / 255))
    for place, percent in enumerate(HIDDEN_PERCENT):
        axes[0, 1 + 2 * place].set_title(f"{percent} % hidden", fontsize=8)
        axes[0, 2 + 2 * place].set_title("painted", fontsize=8)
    return figure


def draw_anomalies(bundle: Bundle, subjects: Sequence[Subject], title: str, threads: int) -> Figure:
    """A line a picture: itself, its reconstruction from complementary masks, the map as it is served, both together."""
    detector = AnomalyDetector.open(bundle, threads=threads)
    hidden = 1 - 1 / detector.spec.default_masks
    figure, axes = canvas(len(subjects), 4, f"Anomaly maps, {100 * hidden:.0f} % hidden at a time\n{title}")
    for line, subject in enumerate(subjects):
        content = subject.prepared.letterbox.content
        found = detector.run(subject.image[None, None], [content])[0]
        rank = "" if found.percentile is None else f", percentile {found.percentile:.0f}"
        show(axes[line, 0], subject.image / 255, subject.caption)
        show(axes[line, 1], np.clip(np.nan_to_num(found.reconstruction), 0, 1))
        show(axes[line, 2], colourise(found.scaled), f"score {found.score:.2f}{rank}")
        show(axes[line, 3], overlay(subject.image, found.scaled))
        if subject.box is not None:
            outline(axes[line, 0], subject.box, FOUND)
            outline(axes[line, 3], subject.box, FOUND)
    axes[0, 1].set_title("reconstruction", fontsize=8)
    axes[0, 3].set_title("map over the picture", fontsize=8)
    return figure


def visible_patches(spec: ReconstructorSpec, hidden_percent: int, seed: int) -> NDArray[np.int64]:
    """(V,) patch numbers, ascending: the first V of a seeded order, so that masks of one seed are nested.

    V is rounded down, as in the paper's code: 19 of 196 at 90 %.
    """
    num_patches = spec.grid**2
    order = np.random.Generator(np.random.PCG64(seed)).permutation(num_patches)
    return np.sort(order[: num_patches * (100 - hidden_percent) // 100]).astype(np.int64)


def hidden_pixels(spec: ReconstructorSpec, visible: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(S, S), True where no patch is visible."""
    hidden = np.ones(spec.grid**2, np.bool_)
    hidden[visible] = False
    square = hidden.reshape(spec.grid, spec.grid)
    return square.repeat(spec.patch_size, axis=0).repeat(spec.patch_size, axis=1)


def _paint(session: Session, image: NDArray[np.uint8], visible: NDArray[np.int64]) -> NDArray[np.float32]:
    (painted,) = session.run({"image": image[None, None], "keep": visible[None]}, ["reconstruction"])
    shown: NDArray[np.float32] = np.clip(np.nan_to_num(painted[0, 0]), 0, 1)
    return shown


def _spec(bundle: Bundle) -> ReconstructorSpec:
    if bundle.manifest.reconstructor is None:
        raise ValueError("the bundle has no reconstructor")
    return bundle.manifest.reconstructor
