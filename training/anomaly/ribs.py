"""A piece of a rib that is not there: its strip is painted over from both sides."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from training.anomaly.change import Change
from training.anomaly.field import ChestField, unit_grid
from training.anomaly.strokes import Point, distance_to

LENGTH_MM = (35.0, 80.0)
WIDTH_MM = (15.0, 20.0)  # of the strip, wider than a rib

_RIDGE_PX = 3.0  # scale of a rib's half width in a working picture
_STEEPEST = 0.85  # |sine| of a rib's direction against the horizontal
_BEST = 0.04  # share of the pixels with the strongest ridges among which one is picked


def draw_missing_rib(picture: NDArray[np.uint8], field: ChestField, rng: np.random.Generator) -> Change:
    """Follow the brightest ridges of a lung from a picked point, and fill the strip smoothly, grain included.

    The fill solves Laplace's equation with the strip's rim as boundary.
    """
    values = picture.astype(np.float64)
    strength, down, across = _ridges(values)
    y, x = unit_grid(picture.shape)
    allowed = field.lungs & (np.abs(x - 0.5) > 0.12) & (y > 0.2) & (np.abs(down) < _STEEPEST)
    score = np.where(allowed if allowed.any() else field.lungs, strength, -1.0).ravel()
    best = np.argsort(score, kind="stable")[-max(1, round(_BEST * field.lungs.sum())) :]
    row, column = divmod(int(rng.choice(best)), picture.shape[1])
    half_length = round(0.5 * field.px_per_mm * rng.uniform(*LENGTH_MM))
    path = _trace((row, column), down, across, half_length)
    strip = distance_to(path, picture.shape) <= 0.5 * field.px_per_mm * rng.uniform(*WIDTH_MM)
    strip[[0, -1]] = strip[:, [0, -1]] = False  # the rim needs neighbours
    grain = values - gaussian_filter(values, 1.0)
    noise = gaussian_filter(rng.standard_normal(picture.shape), 0.6)
    noise *= grain[strip].std() / noise.std()
    filled = _laplace(values, strip)
    return Change(np.where(strip, filled + noise - values, 0.0), strip)


def _ridges(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Strength of a bright ridge, and its direction (down, across) as a unit vector: (H, W) each."""
    orders = ((2, 0), (1, 1), (0, 2))
    yy, yx, xx = (gaussian_filter(values, _RIDGE_PX, order=order, mode="nearest") for order in orders)
    middle, half = 0.5 * (yy + xx), np.hypot(0.5 * (yy - xx), yx)
    angle = 0.5 * np.arctan2(2 * yx, xx - yy)  # of the larger curvature's direction, which runs along a bright ridge
    return np.maximum(0.0, half - middle), np.sin(angle), np.cos(angle)


def _trace(start: Point, down: NDArray[np.float64], across: NDArray[np.float64], steps: int) -> list[Point]:
    """Points along a ridge, pixel by pixel, in both directions from the start."""
    halves = []
    for sign in (-1.0, 1.0):
        point, course, half = start, (0.0, sign), []
        for _ in range(steps):
            step = [
                float(map_coordinates(part, [[point[0]], [point[1]]], order=1, mode="nearest")[0])
                for part in (down, across)
            ]
            if step[0] * course[0] + step[1] * course[1] < 0:  # a direction has no sign: go on, not back
                step = [-step[0], -step[1]]
            # Half of the old course: a vessel that crosses does not turn the path at once.
            course = (0.5 * course[0] + 0.5 * step[0], 0.5 * course[1] + 0.5 * step[1])
            point = (point[0] + course[0], point[1] + course[1])
            half.append(point)
        halves.append(half)
    return [*reversed(halves[0]), start, *halves[1]]


def _laplace(values: NDArray[np.float64], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values in which each pixel of the hole is the mean of its four neighbours."""
    rows, columns = np.nonzero(hole)
    number = np.full(hole.shape, -1)
    number[rows, columns] = np.arange(len(rows))
    right_side = np.zeros(len(rows))
    entries = [(np.arange(len(rows)), np.arange(len(rows)), np.full(len(rows), 4.0))]
    for step_y, step_x in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        other = number[rows + step_y, columns + step_x]
        inside = other >= 0
        entries.append((np.flatnonzero(inside), other[inside], np.full(int(inside.sum()), -1.0)))
        right_side += np.where(inside, 0.0, values[rows + step_y, columns + step_x])
    i, j, v = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    filled = values.copy()
    filled[rows, columns] = spsolve(coo_matrix((v, (i, j))).tocsr(), right_side)
    return filled
