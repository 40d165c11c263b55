"""Whom the pictures show: validation images by a rule that does not look at them, else drawn phantoms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.imaging.geometry import Box
from models.imaging.phantom import draw
from models.imaging.preprocess import InputContract, ModelInput, prepare
from models.labels import display_name
from training.data.dataset import Row
from training.data.packed import read_input
from training.evaluation.boxed import Case, in_model_space

PHANTOMS = "drawn phantoms, nobody's anatomy"
NO_FINDING = "No finding"

_SIDE_PX = 512
_BLOB_GREY, _BLOB_RADIUS_PX = 110, 26
_BLOB_PLACES = ((0.40, 0.30), (0.36, 0.70))  # in the lungs of a phantom


@dataclass(frozen=True, slots=True)
class Subject:
    """One picture of a figure.

    Attributes:
        prepared: as the model sees it.
        caption: what is known of it.
        finding: whose map is drawn, by its name; empty where any may be.
        box: round what there is to be found, in model space; None where nobody says.
    """

    prepared: ModelInput
    caption: str
    finding: str = ""
    box: Box | None = None

    @property
    def image(self) -> NDArray[np.uint8]:
        """(S, S)."""
        return self.prepared.image


def of_rows(rows: Sequence[Row], num: int, contract: InputContract) -> list[Subject]:
    """Evenly spread over the rows, each of another patient.

    Raises:
        DataError: a file does not decode.
    """
    first = list({row.patient: row for row in reversed(rows)}.values())[::-1]
    taken = [first[place * len(first) // num] for place in range(num)] if num < len(first) else first
    return [Subject(read_input(row.file, contract), said_of(row)) for row in taken]


def of_findings(rows: Sequence[Row], findings: Sequence[str], num: int, contract: InputContract) -> list[Subject]:
    """For each of the most frequent findings the first row that has it, each of another patient."""
    counts = {name: sum(name in row.labels for row in rows) for name in findings}
    frequent = sorted((name for name in findings if counts[name]), key=lambda name: -counts[name])
    subjects, seen = [], set()
    for name in frequent[:num]:
        row = next((row for row in rows if name in row.labels and row.patient not in seen), None)
        if row is not None:
            seen.add(row.patient)
            subjects.append(Subject(read_input(row.file, contract), said_of(row), name))
    return subjects


def of_cases(cases: Sequence[Case], num: int, contract: InputContract) -> list[Subject]:
    """The first case of each finding that has boxes, then more cases in order; not those that succeed."""
    by_finding = {case.label.finding: case for case in reversed(cases)}
    first = [by_finding[name] for name in sorted(by_finding)]
    subjects = []
    for case in [*first, *(case for case in cases if case not in first)][:num]:
        prepared = read_input(case.row.file, contract)
        name, box = case.label.finding, in_model_space(case.label.box, prepared.letterbox)
        subjects.append(Subject(prepared, display_name(name), name, box))
    return subjects


def phantoms(num: int, contract: InputContract) -> list[Subject]:
    """Every other one with a bright round shadow in a lung, boxed."""
    subjects = []
    for seed in range(num):
        pixels, box = draw(seed, _SIDE_PX, _SIDE_PX), None
        if seed % 2:
            pixels, box = _with_shadow(pixels, _BLOB_PLACES[seed // 2 % len(_BLOB_PLACES)])
        prepared = prepare(pixels, contract)
        caption = "phantom" if box is None else "with a shadow"
        if box is not None:
            box = prepared.letterbox.box_to_model(box)
        subjects.append(Subject(prepared, caption, box=box))
    return subjects


def said_of(row: Row) -> str:
    """Labels of a row, for a caption."""
    return ", ".join(display_name(name) for name in sorted(row.labels)) or NO_FINDING


def _with_shadow(pixels: NDArray[np.uint8], place: tuple[float, float]) -> tuple[NDArray[np.uint8], Box]:
    height, width = pixels.shape
    y, x = place[0] * height, place[1] * width
    rows, columns = np.mgrid[:height, :width] + 0.5
    distance = ((rows - y) ** 2 + (columns - x) ** 2) / _BLOB_RADIUS_PX**2
    brighter = np.minimum(pixels + _BLOB_GREY * np.exp(-(distance**2)), 255).astype(np.uint8)
    return brighter, Box(y - _BLOB_RADIUS_PX, x - _BLOB_RADIUS_PX, y + _BLOB_RADIUS_PX, x + _BLOB_RADIUS_PX)
