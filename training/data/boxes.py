"""The boxes that radiologists drew on ChestX-ray14."""

import csv
from dataclasses import dataclass
from pathlib import Path

from models.imaging.geometry import Box
from models.labels import CHESTXRAY14
from training.data.dataset import DataError
from training.data.tables import lines

SIDE_PX = 1024  # of the published images; the file gives x, y, width and height in their pixels

_HEADER = ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"]
_SPELLINGS = {"Infiltrate": "Infiltration"}


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """Where a radiologist saw a finding.

    Attributes:
        file: name of the image, as in ChestX-ray14.
        finding: as in `models.labels.CHESTXRAY14`.
        box: edges as shares of the image's height and width, in [0, 1].
    """

    file: str
    finding: str
    box: Box


def read_boxes(path: Path) -> tuple[LabelledBox, ...]:
    """Read BBox_List_2017.csv, whose header has commas inside its names and three more behind them.

    Raises:
        DataError: another header, another number of fields, a finding outside the 14, or no box inside the image.
    """
    rows = lines(path)
    _, header = next(rows, (1, ""))
    if header.rstrip(",").split(",") != _HEADER:
        raise DataError(f"{path}: the header is not {','.join(_HEADER)!r}")
    return tuple(_labelled_box(f"{path} line {number}", next(csv.reader([text]))) for number, text in rows)


def _labelled_box(place: str, fields: list[str]) -> LabelledBox:
    if len(fields) != len(_HEADER):
        raise DataError(f"{place}: {len(fields)} fields where there should be {len(_HEADER)}")
    file, name, *numbers = fields
    finding = _SPELLINGS.get(name, name)
    if finding not in CHESTXRAY14:
        raise DataError(f"{place}: {name!r} is none of the 14 findings")
    try:
        left, top, width, height = (float(number) / SIDE_PX for number in numbers)
    except ValueError as error:
        raise DataError(f"{place}: {numbers} are not four numbers") from error
    if not (0 <= left < left + width <= 1 and 0 <= top < top + height <= 1):
        raise DataError(f"{place}: {numbers} is no box inside {SIDE_PX} x {SIDE_PX} pixels")
    return LabelledBox(file, finding, Box(top, left, top + height, left + width))
