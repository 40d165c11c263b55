"""Soft implants: nodules and opacities, added to the film as density."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter

from training.anomaly.change import Change, log_uniform
from training.anomaly.field import ChestField, pick_point

NODULE_MM = (8.0, 32.0)  # diameter
NODULE_LEVELS = (12.0, 60.0)  # grey levels at the peak
OPACITY_MM = (40.0, 140.0)  # diameter
OPACITY_LEVELS = (15.0, 70.0)

_EXTENT = 0.15  # of the peak: a soft implant is said to be where it changes the picture by this much


def draw_nodules(picture: NDArray[np.uint8], field: ChestField, rng: np.random.Generator) -> Change:
    """One to three balls, slightly lobed, of one contrast; each centre lies in a lung."""
    delta, peak = np.zeros(picture.shape), log_uniform(rng, *NODULE_LEVELS)
    for _ in range(int(rng.integers(1, 4))):
        ball = _ball(picture.shape, field, rng)
        np.maximum(delta, ball, out=delta)
    return _soft(gaussian_filter(delta, 0.7), peak)


def draw_opacity(picture: NDArray[np.uint8], field: ChestField, rng: np.random.Generator) -> Change:
    """One cloud with an irregular rim and a mottled inside, fading out beyond the chest."""
    row, column = pick_point(field.lungs, rng)
    radius = 0.5 * field.px_per_mm * rng.uniform(*OPACITY_MM)
    rows, columns = np.arange(picture.shape[0])[:, None] - row, np.arange(picture.shape[1])[None] - column
    tilt, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.7)
    along, across = rows * np.cos(tilt) + columns * np.sin(tilt), columns * np.cos(tilt) - rows * np.sin(tilt)
    distance = np.hypot(along / stretch**0.5, across * stretch**0.5) / radius
    rim = distance + 0.35 * _noise(picture.shape, radius / 3, rng)
    cloud = 1 / (1 + np.exp((rim - 0.75) / 0.12))
    mottle = np.clip(1 + 0.35 * _noise(picture.shape, rng.uniform(1.5, 4.0), rng), 0.2, 1.8)
    chest = gaussian_filter(field.chest.astype(np.float64), 4.0)
    return _soft(cloud * mottle * chest, log_uniform(rng, *OPACITY_LEVELS))


def _ball(shape: tuple[int, ...], field: ChestField, rng: np.random.Generator) -> NDArray[np.float64]:
    """Path length through a ball, 1 in the middle."""
    row, column = pick_point(field.lungs, rng)
    radius = 0.5 * field.px_per_mm * log_uniform(rng, *NODULE_MM)
    rows, columns = np.arange(shape[0])[:, None] - row, np.arange(shape[1])[None] - column
    stretch, angle = rng.uniform(0.85, 1.18), np.arctan2(rows, columns)
    lobes = sum(rng.uniform(0, 0.06) * np.cos(order * angle + rng.uniform(0, 2 * np.pi)) for order in (2, 3, 5))
    distance = np.hypot(rows * stretch, columns / stretch) / (radius * (1 + lobes))
    depth: NDArray[np.float64] = np.maximum(0.0, 1 - distance**2) ** rng.uniform(0.5, 1.0)
    return depth


def _noise(shape: tuple[int, ...], sigma_px: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise of mean 0 and deviation 1."""
    noise: NDArray[np.float64] = gaussian_filter(rng.standard_normal(shape), sigma_px, mode="reflect")
    noise -= noise.mean()
    noise /= noise.std()
    return noise


def _soft(shape: NDArray[np.float64], peak: float) -> Change:
    delta = shape * (peak / shape.max())
    return Change(delta, binary_fill_holes(delta >= _EXTENT * peak))
