"""Small pictures with findings that can be seen: a drawn chest, and a spot in a place of its own for each finding."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.imaging.geometry import Box
from models.imaging.phantom import draw

SIDE_PX = 64

_NUM_CHESTS = 6  # drawn once and shared: grain and spots make each picture its own
_REACH = 0.8  # of a finding's place that its spot fills
_BRIGHTNESS = 70.0
_GRAIN = 4.0
_SHARE_PRESENT = 0.3
_EVERY_NORMAL = 4  # pictures to one without findings


def some_of(findings: Sequence[str], number: int, rng: np.random.Generator) -> frozenset[str]:
    """Findings of picture `number`: each with the same chance, none in every fourth picture."""
    drawn = rng.random(len(findings)) < _SHARE_PRESENT
    return frozenset() if number % _EVERY_NORMAL == 1 else frozenset(np.array(findings)[drawn].tolist())


class Painter:
    """Paints pictures of one vocabulary.

    Attributes:
        findings: what can be shown, in the order of the places.
    """

    def __init__(self, findings: Collection[str], rng: np.random.Generator) -> None:
        self.findings = tuple(findings)
        self._rng = rng
        self._chests = [draw(int(seed), SIDE_PX, SIDE_PX) for seed in rng.integers(2**31, size=_NUM_CHESTS)]

    def place(self, finding: str) -> Box:
        """Where a finding shows, as shares of height and width: a cell of the smallest square grid that has enough."""
        cells = math.ceil(math.sqrt(len(self.findings)))
        row, column = divmod(self.findings.index(finding), cells)
        margin = (1 - _REACH) / 2
        top, left = (row + margin) / cells, (column + margin) / cells
        return Box(top, left, top + _REACH / cells, left + _REACH / cells)

    def paint(self, present: Collection[str]) -> NDArray[np.uint8]:
        """(SIDE_PX, SIDE_PX) uint8 with a bright spot for each finding."""
        image = self._chests[self._rng.integers(_NUM_CHESTS)].astype(np.float64)
        image = image * self._rng.uniform(0.7, 0.9) + self._rng.normal(0, _GRAIN, image.shape)
        y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
        for finding in sorted(present):
            box = self.place(finding)
            height, width = (box.bottom - box.top) / 2, (box.right - box.left) / 2
            away = ((y - box.top - height) / height) ** 2 + ((x - box.left - width) / width) ** 2
            image += _BRIGHTNESS * self._rng.uniform(0.7, 1.3) * np.exp(-2 * away)
        return np.asarray(np.clip(image, 0, 255), np.uint8)

    def save(self, file: Path, present: Collection[str]) -> None:
        """Paint into a PNG or JPEG, by the name's ending; folders are made."""
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self.paint(present)).save(file)
