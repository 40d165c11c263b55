"""A drawn frontal chest: for tests, documentation and parity checks where no real picture may be used.

Nobody's anatomy. Tissue is laid out as path lengths through ellipses and strips in a unit square (y down, x right,
the patient's right side on the left), attenuated exponentially as X-rays are, and exposed with noise.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Field = NDArray[np.float64]


def draw(seed: int, height: int = 1024, width: int = 840) -> NDArray[np.uint8]:
    """Draw one picture; the same arguments give the same pixels.

    Returns:
        (height, width) uint8, dense tissue bright.
    """
    rng = np.random.default_rng(seed)
    rows, columns = -(-height // 2), -(-width // 2)  # anatomy is smooth: half the resolution is drawn, grain at full
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    y = 0.055 + 0.90 * y + rng.uniform(-0.01, 0.01)
    x = 0.5 + 0.84 * (x - 0.5) * rng.uniform(0.97, 1.03) + rng.uniform(-0.01, 0.01)

    lungs = _lungs(y, x, rng)
    tissue = 1.0 * _body(y, x)
    tissue -= 0.70 * lungs
    tissue += _mediastinum(y, x, rng)
    tissue += _bones(y, x, rng)
    tissue += lungs * _vessels(y, x, rng)

    scale = height / 1024
    texture = ndimage.gaussian_filter(rng.standard_normal((rows, columns)), 3 * scale) * 3 * scale
    tissue = ndimage.gaussian_filter(tissue, 0.8 * scale) + 0.02 * texture
    film = (1 - np.exp(-1.35 * np.maximum(tissue, 0))) ** 1.25
    grey = Image.fromarray(np.float32(240 * film / np.quantile(film, 0.995)))
    smooth = np.asarray(grey.resize((width, height), Image.Resampling.BICUBIC))
    grain = rng.standard_normal((height, width), np.float32)
    return np.asarray(np.clip(smooth + 1.5 * grain, 0, 255), np.uint8)


def _ellipse(y: Field, x: Field, cy: float, cx: float, ry: float, rx: float) -> Field:
    """Path length through an ellipsoid seen from the front: 1 in the middle, 0 outside."""
    return np.sqrt(np.maximum(0.0, 1 - ((y - cy) / ry) ** 2 - ((x - cx) / rx) ** 2))


def _step(distance: Field, blur: float) -> Field:
    """0 where distance is negative, 1 where it is positive, smooth over `blur`."""
    return 0.5 * (1 + np.tanh(distance / blur))


def _body(y: Field, x: Field) -> Field:
    side = np.abs(x - 0.5)
    trunk = np.sqrt(np.maximum(0.0, 1 - (side / 0.455) ** 4))
    neck = np.sqrt(np.maximum(0.0, 1 - (side / (0.105 + 0.9 * np.maximum(y - 0.04, 0))) ** 2))
    shoulder_line = 0.085 + 0.30 * np.maximum(side - 0.10, 0) ** 1.6
    arms = 0.75 * _ellipse(y, x, 0.42, 0.03, 0.40, 0.11) + 0.75 * _ellipse(y, x, 0.42, 0.97, 0.40, 0.11)
    below = _step(y - shoulder_line, 0.012)
    return below * np.maximum(trunk, arms) + (1 - below) * 0.8 * neck


def _lungs(y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Air, 0 to 1: apices narrow, bases cut by the domes of the diaphragm, the left one by the heart as well."""
    air = np.zeros_like(x)
    for side, base in ((-1, 0.755), (1, 0.785)):
        cx = 0.5 + side * 0.20
        ry = 0.41 + rng.uniform(-0.01, 0.01)
        lean = cx + side * 0.11 * (y - 0.5)
        width = 0.168 * np.clip(0.62 + 0.85 * (y - 0.10), 0.5, 1.0)
        lobe = np.maximum(0.0, 1 - np.abs((y - 0.51) / ry) ** 2.8 - np.abs((x - lean) / width) ** 2.8) ** 0.42
        dome = base + rng.uniform(-0.01, 0.01) - 0.02 + 1.5 * np.abs(x - (cx - side * 0.03)) ** 2.1
        air = np.maximum(air, lobe * _step(dome - y, 0.006))
    behind: Field = np.minimum(0.95, 1.5 * _heart(y, x))
    return air * (1 - behind)


def _heart(y: Field, x: Field) -> Field:
    """Tilted, its apex down towards the patient's left."""
    down, across = y - 0.635, x - 0.552
    along, aside = 0.72 * down + 0.69 * across, 0.69 * down - 0.72 * across
    return np.sqrt(np.maximum(0.0, 1 - np.abs(along / 0.185) ** 2.3 - np.abs(aside / 0.145) ** 2.3))


def _mediastinum(y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Great vessels, heart, liver and stomach; the trachea and the gastric bubble are air."""
    half = 0.058 + 0.05 * np.clip(y - 0.4, 0, 1) + 0.02 * np.clip(0.25 - y, 0, 1)
    strip = 0.26 * _step(half - np.abs(x - 0.507), 0.010) * _step(y - 0.10, 0.05)
    heart = (0.30 + rng.uniform(-0.02, 0.02)) * _heart(y, x)
    aorta = 0.16 * _ellipse(y, x, 0.335, 0.565, 0.042, 0.038)
    abdomen = 0.16 * _step(y - 0.80, 0.02) * _step(0.42 - np.abs(x - 0.5), 0.03)
    trachea = 0.17 * _step(0.017 - np.abs(x - 0.497), 0.004) * _step(0.385 - y, 0.02)
    for side in (-1, 1):
        along = np.abs(x - 0.5 - side * 0.42 * (y - 0.37))
        trachea = trachea + 0.09 * _step(0.012 - along, 0.004) * _step(y - 0.37, 0.008) * _step(0.46 - y, 0.012)
    bubble = 0.24 * _ellipse(y, x, 0.885, 0.655, 0.035, 0.06) ** 2
    return strip + heart + aorta + abdomen - trachea - bubble


def _bones(y: Field, x: Field, rng: np.random.Generator) -> Field:
    bone = _spine(y, x)
    for side in (-1, 1):
        out = side * (x - 0.5)
        for rib in range(10):
            start = 0.105 + 0.066 * rib + rng.uniform(-0.004, 0.004)
            reach = min(0.23 + 0.028 * rib, 0.405)
            bone += (
                _strip(y - _rib_line(out, start, reach), 0.0115, 0.145)
                * _step(out - 0.045, 0.01)
                * _step(reach - out, 0.008)
            )
            front = start + 0.165 + 0.012 * rib - 0.36 * (reach - out)
            bone += _strip(y - front, 0.013, 0.05) * _step(out - 0.13, 0.02) * _step(reach - out, 0.012) * (rib < 7)
        clavicle = 0.185 - 0.17 * (out - 0.05) - 0.02 * np.sin(9 * out)
        bone += _strip(y - clavicle, 0.013, 0.20) * _step(out - 0.045, 0.006) * _step(0.36 - out, 0.02)
        scapula = out - 0.375 + 0.26 * (y - 0.30)
        bone += (
            0.07 * _step(scapula, 0.006) * _step(0.085 - scapula, 0.02) * _step(y - 0.17, 0.02) * _step(0.52 - y, 0.03)
        )
    return bone


def _spine(y: Field, x: Field) -> Field:
    """A column with lighter discs."""
    column = _step(0.034 - np.abs(x - 0.5), 0.006)
    discs = 0.5 + 0.5 * np.cos(2 * np.pi * y / (0.046 + 0.012 * y))
    return column * (0.16 + 0.05 * discs)


def _rib_line(out: Field, start: float, reach: float) -> Field:
    """Height of a posterior rib: up from the spine, over, and down along the chest wall."""
    t = np.clip((out - 0.045) / (reach - 0.045), 0, 1)
    return start - 0.028 * np.sin(np.pi * np.minimum(1.5 * t, 1)) + 0.10 * t**2.2


def _strip(distance: Field, half: float, weight: float) -> Field:
    """A rib-like tube about a line: dense cortex at the edges, lighter marrow."""
    inside = np.clip(1 - (distance / half) ** 2, 0, 1)
    return weight * (0.55 * np.sqrt(inside) + 0.45 * np.sqrt(inside) * (1 - 0.8 * inside))


def _vessels(y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Branches that leave the hila, thinning outwards."""
    shade = np.zeros_like(x)
    for side in (-1, 1):
        hilum_y, hilum_x = 0.47, 0.5 + side * 0.085
        shade += 0.13 * np.exp(-(((y - hilum_y) / 0.075) ** 2) - ((x - hilum_x) / 0.028) ** 2)
        for angle in np.linspace(-1.35, 1.35, 17) + rng.uniform(-0.07, 0.07, 17):
            root_y = hilum_y + 0.055 * np.sin(angle) + rng.uniform(-0.015, 0.015)
            along = (x - hilum_x) * side * np.cos(angle) + (y - root_y) * np.sin(angle)
            across = -(x - hilum_x) * side * np.sin(angle) + (y - root_y) * np.cos(angle)
            across = across - rng.uniform(-0.7, 0.7) * along**2 - 0.003 * np.sin(70 * along + rng.uniform(0, 6))
            reach, weight = rng.uniform(0.16, 0.32), rng.uniform(0.06, 0.14)
            half = np.maximum(0.0062 * (1 - along / reach), 0.0010)
            shade += (
                weight * np.exp(-((across / half) ** 2)) * _step(along - 0.01, 0.012) * np.clip(1 - along / reach, 0, 1)
            )
    return shade
