"""Radiologists' boxes on images at hand."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.imaging.geometry import Box, Placement
from models.imaging.preprocess import InputContract, ModelInput
from training.data import manifest
from training.data.boxes import LabelledBox
from training.data.dataset import DataError, Dataset, Row
from training.data.packed import read_input

_SQUARENESS = 0.01  # published pictures are square; one that is not has been cut or squashed, and shares do not fit it


@dataclass(frozen=True, slots=True)
class Case:
    """One box to be found.

    Attributes:
        row: the image, with its patient and split.
        label: the box as shares of the image's height and width, and the finding it shows.
    """

    row: Row
    label: LabelledBox


def cases_of(rows: Sequence[Row], names: Mapping[Path, str], boxes: Sequence[LabelledBox]) -> list[Case]:
    """Boxes that lie on one of the images, in their order.

    Args:
        rows: images.
        names: published name of an image by its path; of an image that is not in here it is the file's own.
        boxes: of published images.

    Raises:
        DataError: two rows are the same published image.
    """
    row_of: dict[str, Row] = {}
    for row in rows:
        name = names.get(row.file, row.file.name)
        if name in row_of:
            raise DataError(f"{row.file} and {row_of[name].file} are both {name}")
        row_of[name] = row
    return [Case(row_of[box.file], box) for box in boxes if box.file in row_of]


def published_names(dataset: Dataset) -> dict[Path, str]:
    """Path of an image to its name in ChestX-ray14, from the column `nih_index` of a manifest.

    Rows without one are left out; the images of other data sets have their own names.
    """
    if dataset.name != manifest.NAME:
        return {}
    (table,) = dataset.lists
    with table.open(newline="", encoding="utf-8-sig") as stream:
        records = csv.DictReader(stream)
        return {table.parent / row["file"]: row["nih_index"] for row in records if row.get("nih_index")}


def square_input(file: Path, contract: InputContract) -> ModelInput:
    """Decode and lay out a published picture, or a smaller version of it.

    Raises:
        DataError: it does not decode, or is not square as the published ones are.
    """
    prepared = read_input(file, contract)
    height, width = prepared.letterbox.height, prepared.letterbox.width
    if abs(height - width) > _SQUARENESS * max(height, width):
        raise DataError(f"{file}: {height} x {width} pixels, while the picture that the boxes were drawn on is square")
    return prepared


def in_model_space(share: Box, placement: Placement) -> Box:
    """A box whose edges are shares of a picture's height and width, on the model's square."""
    rows, columns = placement.height, placement.width
    return placement.box_to_model(
        Box(share.top * rows, share.left * columns, share.bottom * rows, share.right * columns)
    )


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, in [0, 1]; 0 where both are empty."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    shared = max(height, 0.0) * max(width, 0.0)
    united = one.area + other.area - shared
    return shared / united if united > 0 else 0.0
