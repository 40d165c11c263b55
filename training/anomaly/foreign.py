"""Hard implants: devices, and what somebody wrote on the film."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter

from training.anomaly.change import Change, log_uniform
from training.anomaly.field import ChestField, pick_point
from training.anomaly.strokes import Point, curve, distance_to, stroke, write_word

LINE_LEVELS = (25.0, 110.0)  # grey levels of lines, tubes and electrodes
BOX_LEVELS = (50.0, 140.0)  # of a pacemaker's case
MARK_LEVELS = (60.0, 200.0)  # of arrows and letters
WORDS = ("L", "R", "AP", "PA", "PORT", "ERECT", "X")

_FROM = 0.3  # opacity from which a pixel belongs to a hard implant


def draw_device(picture: NDArray[np.uint8], field: ChestField, rng: np.random.Generator) -> Change:
    """A line, a tube, a pacemaker with its lead, or electrodes with a wire; one of the four, equally often."""
    draw = (_line, _tube, _pacemaker, _electrodes)[int(rng.integers(4))]
    opacity, levels = draw(picture.shape, field, rng)
    return _hard(gaussian_filter(opacity, 0.5), levels)


def draw_mark(picture: NDArray[np.uint8], field: ChestField, rng: np.random.Generator) -> Change:
    """An arrow whose tip lies in a lung, or a word in the chest."""
    levels = log_uniform(rng, *MARK_LEVELS)
    if rng.random() < 0.5:
        tip, angle = pick_point(field.lungs, rng), rng.uniform(0, 2 * np.pi)
        return _hard(_arrow(tip, angle, field.px_per_mm * rng.uniform(18, 45), picture.shape), levels)
    word = WORDS[int(rng.integers(len(WORDS)))]
    height = field.px_per_mm * rng.uniform(12, 26)
    row, column = pick_point(field.lungs, rng)
    corner = (row - height / 2, column - height * len(word) / 2)
    return _hard(stroke(write_word(word, corner, height, picture.shape), max(0.9, 0.07 * height)), levels)


_Drawn = tuple[NDArray[np.float64], float]  # opacity in [0, 1], grey levels


def _line(shape: tuple[int, ...], field: ChestField, rng: np.random.Generator) -> _Drawn:
    """A catheter from the shoulder into the mediastinum."""
    half = max(0.9, 0.5 * field.px_per_mm * rng.uniform(2, 4))
    return stroke(distance_to(_to_heart(shape, rng), shape), half), log_uniform(rng, *LINE_LEVELS)


def _tube(shape: tuple[int, ...], field: ChestField, rng: np.random.Generator) -> _Drawn:
    """A drain from the flank into a lung: two walls, a stripe, a lumen."""
    height, width = shape
    tip = pick_point(field.lungs, rng)
    side = width * (0.08 if tip[1] < width / 2 else 0.92)
    entry = (height * rng.uniform(0.45, 0.8), side)
    bend = (entry[0] - height * rng.uniform(0.0, 0.2), 0.5 * (entry[1] + tip[1]))
    distance = distance_to(curve([entry, bend, bend, tip]), shape)
    half = 0.5 * field.px_per_mm * rng.uniform(7, 12)
    walls = stroke(np.abs(distance - half), 0.8)
    return np.maximum(0.35 * stroke(distance, half), walls), log_uniform(rng, *LINE_LEVELS)


def _pacemaker(shape: tuple[int, ...], field: ChestField, rng: np.random.Generator) -> _Drawn:
    """A rounded case below the clavicle with a lead to the heart."""
    height, width = shape
    right = rng.random() < 0.5
    centre = (height * rng.uniform(0.20, 0.32), width * (rng.uniform(0.18, 0.30) if right else rng.uniform(0.70, 0.82)))
    half_y, half_x = (0.5 * field.px_per_mm * rng.uniform(32, 52) for _ in range(2))
    tilt = rng.uniform(-0.5, 0.5)
    rows, columns = np.arange(height)[:, None] - centre[0], np.arange(width)[None] - centre[1]
    along, across = rows * math.cos(tilt) + columns * math.sin(tilt), columns * math.cos(tilt) - rows * math.sin(tilt)
    case = np.clip(6 * (1 - (along / half_y) ** 4 - (across / half_x) ** 4), 0, 1)
    heart = (height * rng.uniform(0.58, 0.68), width * rng.uniform(0.50, 0.60))
    lead = curve([centre, (centre[0] - 0.1 * height, 0.5 * width), (0.35 * height, 0.47 * width), heart])
    return np.maximum(case, 0.8 * stroke(distance_to(lead, shape), 0.9)), log_uniform(rng, *BOX_LEVELS)


def _electrodes(shape: tuple[int, ...], field: ChestField, rng: np.random.Generator) -> _Drawn:
    """Two or three snaps, each a disc in a fainter pad, joined by a wire."""
    snaps = [pick_point(field.chest, rng) for _ in range(int(rng.integers(2, 4)))]
    opacity = 0.6 * stroke(distance_to(snaps, shape), 0.9)
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    for row, column in snaps:
        distance = np.hypot(rows - row, columns - column)
        for share, radius_mm in ((0.4, 9.0), (1.0, 4.0)):
            np.maximum(opacity, share * stroke(distance, radius_mm * field.px_per_mm), out=opacity)
    return opacity, log_uniform(rng, *LINE_LEVELS)


def _to_heart(shape: tuple[int, ...], rng: np.random.Generator) -> list[Point]:
    height, width = shape
    side = rng.uniform(0.10, 0.35) if rng.random() < 0.5 else rng.uniform(0.65, 0.90)
    start = (height * rng.uniform(0.08, 0.22), width * side)
    end = (height * rng.uniform(0.42, 0.60), width * rng.uniform(0.44, 0.54))
    first = (start[0] + height * rng.uniform(-0.05, 0.05), width * (0.5 * side + 0.25))
    return curve([start, first, (height * 0.25, width * rng.uniform(0.44, 0.52)), end])


def _arrow(tip: Point, angle: float, length_px: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    tail = (tip[0] - length_px * math.sin(angle), tip[1] - length_px * math.cos(angle))
    distance = distance_to([tail, tip], shape)
    for turn in (-0.5, 0.5):
        barb = 0.4 * length_px
        end = (tip[0] - barb * math.sin(angle + turn), tip[1] - barb * math.cos(angle + turn))
        np.minimum(distance, distance_to([end, tip], shape), out=distance)
    return stroke(distance, max(1.0, 0.06 * length_px))


def _hard(opacity: NDArray[np.float64], levels: float) -> Change:
    return Change(opacity * levels, binary_fill_holes(opacity >= _FROM * opacity.max()))
