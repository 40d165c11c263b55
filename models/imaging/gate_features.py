"""What the gate's network sees of a picture: coarse grey levels, and the directions of its edges."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Square = NDArray[np.float64]

GRID = 64  # side of the square that everything is computed on
_CELL, _DIRECTIONS, _COARSE = 8, 8, 16
_COARSE_LIMIT = 3.0  # deviations from the mean
_ASPECT_LIMIT = 1.0  # of the natural logarithm: pictures longer than e to 1 look alike to the network
_PLACES = np.linspace(0, GRID * GRID - 1, 13).astype(np.int64)  # of the quantiles among all sorted values
_ANGLES = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
_COMPASS = np.stack([np.sin(_ANGLES), np.cos(_ANGLES)], axis=1).astype(np.float32)

NUM_FEATURES = (GRID // _CELL) ** 2 * _DIRECTIONS + _COARSE**2 + len(_PLACES) + 3


def shrink(pixels: NDArray[np.uint8]) -> Square:
    """A picture of any size and shape, squashed to (GRID, GRID) by averaging; grey levels stay."""
    small = Image.fromarray(pixels).resize((GRID, GRID), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small, np.float64)


def standardise(square: Square) -> Square:
    """Zero mean and unit deviation; a flat picture is not to be passed here."""
    standardised: Square = (square - square.mean()) / square.std()
    return standardised


def describe(squares: NDArray[np.floating], aspects: NDArray[np.floating]) -> NDArray[np.float32]:
    """Features of some pictures.

    Directions are signed, because a dark lung beside a bright mediastinum is not the reverse: each pixel's slope is
    projected on eight of them, what is positive is averaged over 8 x 8 cells, and each cell is divided by the energy
    of its 3 x 3 neighbourhood. After the histograms of Dalal and Triggs 2005, doi:10.1109/CVPR.2005.177.

    Args:
        squares: (N, GRID, GRID), standardised.
        aspects: (N,) width by height of the pictures before they were squashed.

    Returns:
        (N, NUM_FEATURES): the directions, 16 x 16 means, quantiles, left-right symmetry, mean slope, aspect.
    """
    grey = squares.astype(np.float32)
    num = len(grey)
    down, across = (np.asarray(slope, np.float32) for slope in np.gradient(grey, axis=(1, 2)))
    parts = (
        _directions(down, across).reshape(num, -1),
        np.clip(_means(grey, _COARSE), -_COARSE_LIMIT, _COARSE_LIMIT).reshape(num, -1),
        np.sort(grey.reshape(num, -1), axis=1)[:, _PLACES],
        (grey * grey[:, :, ::-1]).mean(axis=(1, 2))[:, None],
        np.hypot(down, across).mean(axis=(1, 2))[:, None],
        np.clip(np.log(aspects), -_ASPECT_LIMIT, _ASPECT_LIMIT)[:, None],
    )
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _directions(down: NDArray[np.float32], across: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, directions, cells, cells) of slopes (N, GRID, GRID)."""
    votes = np.stack(
        [_means(np.maximum(sine * down + cosine * across, 0), GRID // _CELL) for sine, cosine in _COMPASS], axis=1
    )
    energy = np.pad((votes**2).sum(axis=1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(energy, (3, 3), axis=(1, 2)).mean(axis=(3, 4))
    normalised: NDArray[np.float32] = votes / np.sqrt(around + np.float32(1e-3))[:, None]
    return normalised


def _means(planes: NDArray[np.float32], num: int) -> NDArray[np.float32]:
    """Means of (N, GRID, GRID) over num x num cells."""
    side = GRID // num
    means: NDArray[np.float32] = planes.reshape(-1, num, side, num, side).mean(axis=4).mean(axis=2)
    return means
