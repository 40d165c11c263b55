"""Lines as distance fields: catheters, leads, arrows, letters."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]  # (row, column) in pixels


def distance_to(path: Sequence[Point], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Distance of every pixel to a polyline of at least two points: (H, W) in pixels."""
    height, width = shape
    rows, columns = np.arange(height, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)[None]
    nearest = np.full((height, width), np.inf)
    for (top, left), (bottom, right) in pairwise(path):
        down, across = bottom - top, right - left
        length = max(down**2 + across**2, 1e-9)
        along = np.clip(((rows - top) * down + (columns - left) * across) / length, 0, 1)
        np.minimum(nearest, np.hypot(rows - top - along * down, columns - left - along * across), out=nearest)
    return nearest


def stroke(distance: NDArray[np.float64], half_px: float) -> NDArray[np.float64]:
    """1 within `half_px` of a line, 0 beyond, one pixel of slope between."""
    return np.clip(half_px + 0.5 - distance, 0, 1)


def curve(corners: Sequence[Point], num: int = 24) -> list[Point]:
    """Points of the cubic Bezier curve of four corners."""
    first, second, third, last = np.array(corners, np.float64)
    share = np.linspace(0, 1, num)[:, None]
    back = 1 - share
    points = back**3 * first + 3 * back**2 * share * second + 3 * back * share**2 * third + share**3 * last
    return [(float(row), float(column)) for row, column in points]


# Strokes of capital letters in a box of height 1 and width 0.7, (row, column).
LETTERS: dict[str, tuple[tuple[Point, ...], ...]] = {
    "A": (((1, 0), (0, 0.35), (1, 0.7)), ((0.62, 0.14), (0.62, 0.56))),
    "C": (((0.15, 0.7), (0, 0.5), (0, 0.2), (0.25, 0), (0.75, 0), (1, 0.2), (1, 0.5), (0.85, 0.7)),),
    "E": (((0, 0.7), (0, 0), (1, 0), (1, 0.7)), ((0.5, 0), (0.5, 0.55))),
    "L": (((0, 0), (1, 0), (1, 0.7)),),
    "O": (((0, 0.2), (0, 0.5), (0.25, 0.7), (0.75, 0.7), (1, 0.5), (1, 0.2), (0.75, 0), (0.25, 0), (0, 0.2)),),
    "P": (((1, 0), (0, 0), (0, 0.55), (0.12, 0.7), (0.4, 0.7), (0.52, 0.55), (0.52, 0)),),
    "R": (((1, 0), (0, 0), (0, 0.55), (0.12, 0.7), (0.4, 0.7), (0.52, 0.55), (0.52, 0)), ((0.52, 0.35), (1, 0.7))),
    "T": (((0, 0), (0, 0.7)), ((0, 0.35), (1, 0.35))),
    "X": (((0, 0), (1, 0.7)), ((0, 0.7), (1, 0))),
}


def write_word(word: str, corner: Point, height_px: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Distance to the strokes of a word whose upper left corner is given: (H, W) in pixels."""
    nearest = np.full(shape, np.inf)
    for place, letter in enumerate(word):
        for line in LETTERS[letter]:
            points = [(corner[0] + y * height_px, corner[1] + (x + place) * height_px) for y, x in line]
            np.minimum(nearest, distance_to(points, shape), out=nearest)
    return nearest
