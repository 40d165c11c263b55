"""A bundle's maps of findings beside radiologists' boxes, after figure 4 of arXiv:2210.12843."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.imaging.heatmap import largest_box, saliency_map
from models.imaging.overlay import overlay
from models.labels import display_name
from training.evaluation.bundle_model import BundleModel
from training.figures.chart import outline
from training.figures.subjects import Subject
from training.reproduction.canvas import canvas, show

RADIOLOGIST, OURS = "#ffffff", "#40e0ff"


def draw_saliency(model: BundleModel, subjects: Sequence[Subject], title: str) -> Figure:
    """A line a picture: itself with the box that was drawn by hand, the map of the finding, and the box of that map.

    A subject without a finding shows the one whose probability exceeds its threshold by the most.
    """
    threshold = model.manifest.classifier.map_threshold
    heading = f"Maps of findings; white: drawn by hand, dashed: round the map above {threshold:g}\n{title}"
    figure, axes = canvas(len(subjects), 3, heading)
    for line, subject in enumerate(subjects):
        logits = model.logits(subject.image[None])
        probabilities = model.probabilities(logits)[0]
        column = _column(model, subject.finding, probabilities)
        heat = saliency_map(model.saliency(subject.image[None])[0, column], subject.prepared.letterbox)
        cut = model.thresholds.values[column]
        said = f"{display_name(model.findings[column])}\n{probabilities[column]:.2f}, threshold {cut:.2f}"
        show(axes[line, 0], subject.image / 255, subject.caption)
        show(axes[line, 1], overlay(subject.image, heat), said)
        show(axes[line, 2], subject.image / 255)
        if subject.box is not None:
            for place in (0, 2):
                outline(axes[line, place], subject.box, RADIOLOGIST)
        box = largest_box(heat, threshold)
        if box is not None:
            outline(axes[line, 2], box, OURS, "--")
    return figure


def _column(model: BundleModel, finding: str, probabilities: NDArray[np.float64]) -> int:
    if finding:
        return model.findings.index(finding)
    return int(np.nanargmax(probabilities - model.thresholds.values))
