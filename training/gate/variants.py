"""Mild variants of small pictures, and the features that the gate computes of them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.imaging.gate import BLANK_STD
from models.imaging.gate_features import GRID, standardise
from models.imaging.polarity import polarised
from training.gate.pictures import SIDE


def vary(square: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A crop, a slight turn, another contrast, sometimes mirrored, framed, written upon, or blurred.

    Args:
        square: (SIDE, SIDE), dense tissue bright.
    """
    picture = Image.fromarray(square)
    if rng.random() < 0.3:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        picture = picture.rotate(rng.normal(0, 3), Image.Resampling.BILINEAR)
    top, left, bottom, right = rng.uniform(0, 0.09, 4) * SIDE
    picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, SIDE - right, SIDE - bottom))
    levels = 255 * (np.asarray(picture, np.float64) / 255) ** np.exp(rng.normal(0, 0.3))
    levels += rng.normal(0, rng.uniform(0, 6), levels.shape)
    varied: NDArray[np.uint8] = np.clip(levels * rng.uniform(0.7, 1.1) + rng.uniform(-10, 25), 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        varied = _framed(varied, rng)
    if rng.random() < 0.3:
        row, column = rng.integers(0, SIDE - 12, 2)
        varied[row : row + rng.integers(2, 9), column : column + rng.integers(2, 9)] = 255
    return varied


def _framed(square: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Collimated, or with a border of black, white or grey."""
    top, left, bottom, right = (rng.uniform(0, 0.14, 4) * SIDE * (rng.random(4) < 0.6)).astype(int)
    framed = np.full_like(square, rng.choice([0, 0, 0, 255, 60]))
    inner = Image.fromarray(square).resize((SIDE - left - right, SIDE - top - bottom), Image.Resampling.BILINEAR)
    framed[top : SIDE - bottom, left : SIDE - right] = np.asarray(inner)
    return framed


def view(square: NDArray[np.uint8], turns: int) -> NDArray[np.float32] | None:
    """What the gate describes of a picture turned `turns` quarters anticlockwise; None of a blank one."""
    small = np.asarray(Image.fromarray(square).resize((GRID, GRID), Image.Resampling.BOX), np.float64)
    if small.std() < BLANK_STD:
        return None
    return polarised(np.rot90(standardise(small), turns)).astype(np.float32)
