"""Boxes that never looked at the picture: what a map has to beat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.imaging.geometry import Box
from training.data.boxes import LabelledBox


def mean_size(label: LabelledBox, boxes: Sequence[LabelledBox]) -> tuple[float, float] | None:
    """Mean height and width, as shares, of the boxes of a finding on other patients; None where there are none.

    Published images are named `patient_index.png`.
    """
    others = [box.box for box in boxes if box.finding == label.finding and _patient(box.file) != _patient(label.file)]
    if not others:
        return None
    return (
        float(np.mean([box.bottom - box.top for box in others])),
        float(np.mean([box.right - box.left for box in others])),
    )


def centred_box(size: tuple[float, float]) -> Box:
    """A box of (height, width) in the middle of the picture."""
    height, width = size
    return Box((1 - height) / 2, (1 - width) / 2, (1 + height) / 2, (1 + width) / 2)


def usual_box(label: LabelledBox, boxes: Sequence[LabelledBox]) -> Box | None:
    """Of a finding's boxes on other patients the one most like all of them, by mean IoU; None where there are none.

    It knows where radiologists look for the finding, and nothing of the picture.
    """
    others = [box.box for box in boxes if box.finding == label.finding and _patient(box.file) != _patient(label.file)]
    if not others:
        return None
    top, left, bottom, right = np.array([(box.top, box.left, box.bottom, box.right) for box in others]).T
    height = (np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top)).clip(min=0)
    width = (np.minimum.outer(right, right) - np.maximum.outer(left, left)).clip(min=0)
    areas = (bottom - top) * (right - left)
    union = np.add.outer(areas, areas) - height * width
    return others[int((height * width / np.maximum(union, 1e-12)).mean(axis=0).argmax())]


def random_boxes(size: tuple[float, float], num: int, generator: np.random.Generator) -> list[Box]:
    """Boxes of (height, width) anywhere inside the picture, every place equally likely."""
    height, width = size
    corners: NDArray[np.float64] = generator.random((num, 2)) * [1 - height, 1 - width]
    return [Box(top, left, top + height, left + width) for top, left in corners.tolist()]


def _patient(file: str) -> str:
    return file.partition("_")[0]
