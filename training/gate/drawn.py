"""Pictures that nobody took: pages, plots, patterns and drawn limbs, as negatives; drawn chests, as positives."""

from collections.abc import Callable
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.imaging import phantom

Grey = NDArray[np.uint8]
_SIDE = 128


def page(rng: np.random.Generator) -> Grey:
    """Lines of words, in columns, sometimes with a figure, sometimes white on black."""
    height, width = _size(rng)
    paper = np.full((height, width), 245.0)
    pitch = int(rng.integers(4, 14))
    edges = np.linspace(rng.uniform(0.04, 0.12), rng.uniform(0.88, 0.97), int(rng.integers(2, 4))) * width
    for row in range(int(rng.uniform(0.03, 0.15) * height), int(rng.uniform(0.7, 0.97) * height), pitch):
        for left, right in pairwise(edges):
            if rng.random() < 0.08:
                continue
            end = right - 4 - (rng.random() < 0.2) * rng.uniform(0, 0.7) * (right - left)
            column = left
            while column < end:
                word = rng.uniform(3, 22)
                paper[row : row + max(1, pitch // 2), int(column) : int(min(column + word, end))] = rng.uniform(20, 130)
                column += word + rng.uniform(2, 4)
    if rng.random() < 0.3:
        top, left = (rng.uniform(0.1, 0.6, 2) * (height, width)).astype(int)
        paper[top : top + height // 4, left : left + width // 3] = rng.uniform(60, 220)
    return _finished(paper, rng)


def plot(rng: np.random.Generator) -> Grey:
    """Axes with curves, bars or points."""
    height, width = _size(rng)
    sheet = np.full((height, width), 250.0)
    top, bottom, left, right = (
        rng.uniform((0.03, 0.8, 0.06, 0.85), (0.15, 0.95, 0.2, 0.98)) * (height, height, width, width)
    ).astype(int)
    columns = np.arange(left, right)
    for _ in range(int(rng.integers(1, 6))):
        walk = np.cumsum(rng.normal(0, 1, len(columns)))
        share = (walk - walk.min()) / max(np.ptp(walk), 1e-9)
        rows = (bottom - 2 - share * (bottom - top - 4)).astype(int)
        match int(rng.integers(3)):
            case 0:
                sheet[rows, columns] = sheet[rows + 1, columns] = rng.uniform(0, 120)
            case 1:
                for row, column in zip(rows[::9], columns[::9], strict=True):
                    sheet[row:bottom, column : column + 6] = rng.uniform(40, 200)
            case _:
                sheet[rng.integers(top, bottom, 90), rng.integers(left, right, 90)] = 40
    sheet[top:bottom, left] = sheet[bottom, left:right] = 0
    return _finished(sheet, rng)


def pattern(rng: np.random.Generator) -> Grey:
    """Noise of some grain, gradients, blobs, checks."""
    height, width = _size(rng)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    match int(rng.integers(5)):
        case 0:
            field = ndimage.gaussian_filter(rng.standard_normal((height, width)), rng.uniform(0, 25))
        case 1:
            field = rng.normal() * x + rng.normal() * y + rng.normal() * (x - 0.5) ** 2 + rng.normal() * (y - 0.5) ** 2
        case 2:
            field = np.sin(rng.uniform(5, 60) * x + rng.uniform(5, 60) * y) * np.sin(rng.uniform(0, 40) * y)
        case 3:
            field = np.zeros((height, width))
            for _ in range(int(rng.integers(1, 9))):
                cy, cx, ry, rx = rng.uniform((0, 0, 0.03, 0.03), (1, 1, 0.4, 0.4))
                field += rng.normal() * (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1)
        case _:
            spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
            frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) + 1 / max(height, width)
            field = np.fft.irfft2(spectrum / frequency ** rng.uniform(0.5, 2), s=(height, width))
    return _scaled(field + rng.uniform(0, 0.1) * rng.standard_normal(field.shape) * field.std())


def limb(rng: np.random.Generator) -> Grey:
    """Long bones in soft tissue, or a skull-like shell: what X-rays of other parts have in common, and no more."""
    height, width = _size(rng)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    y, x = y - 0.5, x - 0.5 + rng.normal(0, 0.08)
    angle = rng.normal(0, 0.35) + (rng.random() < 0.3) * np.pi / 2
    along, aside = y * np.cos(angle) + x * np.sin(angle), -y * np.sin(angle) + x * np.cos(angle)
    if rng.random() < 0.3:
        radius = np.hypot(along / rng.uniform(0.3, 0.48), aside / rng.uniform(0.25, 0.45))
        tissue = np.sqrt(np.maximum(0, 1 - radius**2)) + 1.2 * np.exp(-(((radius - 0.93) / 0.04) ** 2))
        for _ in range(int(rng.integers(2, 8))):
            cy, cx, size = rng.uniform((-0.25, -0.25, 0.03), (0.25, 0.25, 0.12))
            tissue += rng.normal(0, 0.4) * np.exp(-(((y - cy) / size) ** 2) - ((x - cx) / size) ** 2)
    else:
        tissue = np.zeros((height, width))
        num = int(rng.choice([1, 1, 2, 2, 3, 5]))
        for center in np.linspace(-0.3, 0.3, num) * (num > 1) + rng.normal(0, 0.02, num):
            half = rng.uniform(0.1, 0.4) / num * (1 + rng.normal(0, 0.6) * along)
            flesh = np.maximum(0, 1 - ((aside - center) / np.maximum(half, 0.02)) ** 2) ** 0.5
            thick = rng.uniform(0.25, 0.6) * half * (1 + rng.uniform(0, 2) * np.abs(along) ** 1.5)
            bone = np.maximum(0, 1 - ((aside - center) / np.maximum(thick, 0.01)) ** 2) ** 0.5
            gap = 1 - 0.7 * np.exp(-(((along - rng.uniform(-0.3, 0.3)) / 0.02) ** 2))
            tissue += flesh + rng.uniform(0.6, 1.6) * bone * gap
    film = 1 - np.exp(-rng.uniform(0.7, 2) * np.maximum(tissue, 0))
    film = film * (1 - 0.2 * rng.random() * y) + 0.01 * rng.standard_normal(film.shape)
    grey = _scaled(film)
    return grey if rng.random() < 0.8 else np.asarray(255 - grey, np.uint8)


DRAWN: MappingProxyType[str, Callable[[np.random.Generator], Grey]] = MappingProxyType(
    {"page": page, "plot": plot, "pattern": pattern, "limb": limb}
)


def chest(rng: np.random.Generator) -> Grey:
    """The phantom, at a size that tests use."""
    height = int(rng.integers(60, 200))
    return phantom.draw(int(rng.integers(10_000, 20_000)), height, int(height * rng.uniform(0.7, 1.2)))


def _size(rng: np.random.Generator) -> tuple[int, int]:
    ratio = np.exp(rng.normal(0, 0.25))
    return int(_SIDE / ratio**0.5), int(_SIDE * ratio**0.5)


def _finished(sheet: NDArray[np.float64], rng: np.random.Generator) -> Grey:
    """As scanned, or the other way round."""
    blurred = ndimage.gaussian_filter(sheet, rng.uniform(0, 1)) + rng.normal(0, rng.uniform(0, 8), sheet.shape)
    shade = blurred * (1 - rng.uniform(0, 0.4) * np.linspace(0, 1, sheet.shape[1]))
    grey = np.asarray(np.clip(shade, 0, 255), np.uint8)
    return grey if rng.random() < 0.6 else np.asarray(255 - grey, np.uint8)


def _scaled(field: NDArray[np.float64]) -> Grey:
    low, high = np.quantile(field, [0.005, 0.995])
    return np.asarray(np.clip(255 * (field - low) / max(high - low, 1e-9), 0, 255), np.uint8)
