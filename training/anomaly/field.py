"""Where the lungs of a frontal radiograph roughly lie, without a model: what implants need to know of a picture."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, label

WORKING_SIDE_PX: Final = 256  # shorter side of a working picture
WIDTH_MM: Final = 350.0  # taken for its shorter side: the width of an adult's film; a child's is smaller

_LUNG_Y, _LUNG_HALF_Y, _LUNG_HALF_X = 0.46, 0.29, 0.15  # shares of the picture's height and width
_LUNG_X: Final = (0.29, 0.71)
_LEAST_DARK: Final = 0.25  # share of an ellipse; where less is dark (a white lung), the whole ellipse counts


@dataclass(frozen=True, slots=True)
class ChestField:
    """Two masks of a working picture, (H, W) bool.

    Attributes:
        lungs: the largest dark part of each of two ellipses at the usual place of the lungs; never empty.
        chest: the ellipse round both, mediastinum included.
        px_per_mm: by `WIDTH_MM`; sizes in millimetres are nominal.
    """

    lungs: NDArray[np.bool_]
    chest: NDArray[np.bool_]
    px_per_mm: float


def working_picture(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with a shorter side of `WORKING_SIDE_PX`, so that implants do not depend on its size."""
    height, width = pixels.shape
    if min(height, width) == WORKING_SIDE_PX:
        return pixels
    scale = WORKING_SIDE_PX / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def chest_field(picture: NDArray[np.uint8]) -> ChestField:
    """Find the field of one working picture.

    Args:
        picture: (H, W) uint8, dense tissue bright, upright.
    """
    y, x = unit_grid(picture.shape)
    smooth = gaussian_filter(picture.astype(np.float64), min(picture.shape) / 40)
    middle = (np.abs(x - 0.5) < 0.4) & (y > 0.12) & (y < 0.85)
    dark = smooth <= np.median(smooth[middle])
    lungs = np.zeros(picture.shape, np.bool_)
    for centre in _LUNG_X:
        ellipse = ((y - _LUNG_Y) / _LUNG_HALF_Y) ** 2 + ((x - centre) / _LUNG_HALF_X) ** 2 < 1
        found = _largest(ellipse & dark)
        lungs |= found if found.sum() >= _LEAST_DARK * ellipse.sum() else ellipse
    chest = ((y - 0.48) / 0.38) ** 2 + ((x - 0.5) / 0.40) ** 2 < 1
    return ChestField(lungs, chest, min(picture.shape) / WIDTH_MM)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected part with most pixels; nothing of nothing."""
    parts, _ = label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest: NDArray[np.bool_] = mask & (parts == sizes.argmax())
    return largest


def unit_grid(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel centres as shares of height and width: y (H, 1) and x (1, W)."""
    height, width = shape
    return (np.arange(height)[:, None] + 0.5) / height, (np.arange(width)[None] + 0.5) / width


def pick_point(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """A pixel (row, column) of a mask that is not empty, each as likely as the next."""
    rows, columns = np.nonzero(mask)
    place = int(rng.integers(len(rows)))
    return float(rows[place]), float(columns[place])
