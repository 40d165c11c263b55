"""The benchmark's generator: one anomaly of known place laid into a normal radiograph.

Fixed with its seeds before any map was scored on it. Whoever changes what it draws raises `VERSION`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.imaging.preprocess import InputContract, ModelInput, prepare
from training.anomaly.change import Change
from training.anomaly.field import ChestField, chest_field, working_picture
from training.anomaly.foreign import draw_device, draw_mark
from training.anomaly.lesions import draw_nodules, draw_opacity
from training.anomaly.ribs import draw_missing_rib

VERSION: Final = 1
BENCHMARK_SEED: Final = 20261125  # of the reported numbers; settings were chosen under others, on other pictures

Draw = Callable[[NDArray[np.uint8], ChestField, np.random.Generator], Change]

_DRAW: Mapping[str, Draw] = MappingProxyType(
    {
        "nodule": draw_nodules,
        "opacity": draw_opacity,
        "device": draw_device,
        "mark": draw_mark,
        "missing rib": draw_missing_rib,
    }
)
KINDS: Final = tuple(_DRAW)

_COVERED: Final = 0.25  # a model pixel is in the truth where this share of it is


@dataclass(frozen=True, slots=True)
class Implanted:
    """A working picture with an anomaly.

    Attributes:
        pixels: (H, W) uint8.
        truth: (H, W) bool, where the anomaly is.
    """

    pixels: NDArray[np.uint8]
    truth: NDArray[np.bool_]


def implant(pixels: NDArray[np.uint8], kind: str, seed: int, index: int) -> Implanted:
    """Draw one anomaly; the same arguments give the same pixels.

    Args:
        pixels: (H, W) uint8 of a normal radiograph, dense tissue bright, upright.
        kind: one of `KINDS`.
        seed: of the benchmark.
        index: of the picture in it.

    Raises:
        KeyError: no such kind.
    """
    draw, picture = _DRAW[kind], working_picture(pixels)
    rng = np.random.Generator(np.random.PCG64([seed, index, KINDS.index(kind)]))
    change = draw(picture, chest_field(picture), rng)
    changed = np.rint(np.clip(picture + change.delta, 0, 255)).astype(np.uint8)
    truth = change.place & ~((picture == 255) & (change.delta > 0))  # what was white stays as it was
    return Implanted(changed, truth if truth.any() else change.place)


def to_model(implanted: Implanted, contract: InputContract) -> tuple[ModelInput, NDArray[np.bool_]]:
    """As a model sees it: the input, and its truth (S, S) bool."""
    prepared = prepare(implanted.pixels, contract)
    full = Image.fromarray(implanted.truth.astype(np.float32))
    top, left, bottom, right = prepared.letterbox.content
    shown = prepared.letterbox
    box = (*reversed(shown.to_image(top, left)), *reversed(shown.to_image(bottom, right)))
    truth = np.zeros(prepared.image.shape, np.bool_)
    resized = full.resize((right - left, bottom - top), Image.Resampling.BOX, box=_within(box, full.size))
    truth[top:bottom, left:right] = np.asarray(resized) >= _COVERED
    return prepared, truth


def _within(box: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Rounding may put an edge a hair outside."""
    left, top, right, bottom = box
    return max(left, 0.0), max(top, 0.0), min(right, float(size[0])), min(bottom, float(size[1]))
