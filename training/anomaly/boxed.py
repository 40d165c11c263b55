"""Real findings: radiologists' boxes as truth, though a box holds more than the finding."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.imaging.geometry import Box
from models.imaging.preprocess import InputContract, ModelInput
from training.anomaly.benchmark import Case
from training.evaluation import boxed

BOXES: Final = "boxes"


def box_cases(cases: Sequence[boxed.Case], contract: InputContract) -> list[Case]:
    """One case a picture, all of its boxes its truth.

    Args:
        cases: boxes on images at hand.

    Raises:
        DataError: a picture does not decode, or is not the square one that the boxes were drawn on.
    """
    boxes_of: dict[str, list[boxed.Case]] = {}
    for case in cases:
        boxes_of.setdefault(str(case.row.file), []).append(case)
    found = []
    for of_image in boxes_of.values():
        row = of_image[0].row
        shown = boxed.square_input(row.file, contract)
        truth = np.logical_or.reduce([mark_box(case.label.box, shown) for case in of_image])
        found.append(Case(row, BOXES, shown, truth))
    return found


def mark_box(box: Box, shown: ModelInput) -> NDArray[np.bool_]:
    """(S, S), True where a pixel's centre lies in a box.

    Args:
        box: edges as shares of the picture's height and width.
    """
    edges = boxed.in_model_space(box, shown.letterbox)
    rows, columns = (np.arange(extent) + 0.5 for extent in shown.image.shape)
    in_rows, in_columns = (rows >= edges.top) & (rows < edges.bottom), (columns >= edges.left) & (columns < edges.right)
    inside: NDArray[np.bool_] = in_rows[:, None] & in_columns
    return inside
