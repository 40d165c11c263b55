"""Small changes that nobody's diagnosis hangs on: another encoding, a slight turn, a narrower frame, another window.

Each takes pixels in source space, (H, W) uint8, and gives pixels. What was encoded is read by the reader that serves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.imaging.decode import decode
from models.imaging.heatmap import png_bytes

Pixels = NDArray[np.uint8]

ANGLE_DEGREES = 1.0
CROPPED_SHARE = 0.02  # of the height at top and bottom, of the width at left and right
WINDOW_SHARE = 0.05  # of the contrast about middle grey, and of the grey scale
JPEG_QUALITIES = (90, 75)

_MIDDLE_GREY = 127.5
_WINDOW_PERCENT = f"{100 * WINDOW_SHARE:g}"


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One change.

    Attributes:
        name: for the report.
        apply: to pixels, (H, W) uint8.
        is_lossless: the pixels stay as they are, so every answer must.
    """

    name: str
    apply: Callable[[Pixels], Pixels]
    is_lossless: bool = False


def through_png(pixels: Pixels) -> Pixels:
    """Written as PNG and read again."""
    return decode(png_bytes(pixels)).pixels


def through_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Written as JPEG and read again."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return decode(buffer.getvalue()).pixels


def rotate(pixels: Pixels, degrees: float) -> Pixels:
    """Turned about the centre, counter-clockwise, in a frame of the same size.

    At the corners the picture's own edge goes on: a black wedge would be a second change.
    """
    height, width = pixels.shape
    margin = int(np.ceil(max(height, width) * np.sin(np.deg2rad(abs(degrees))))) + 2
    wide = Image.fromarray(np.pad(pixels, margin, mode="edge"))
    turned = np.asarray(wide.rotate(degrees, Image.Resampling.BICUBIC), np.uint8)
    return turned[margin : margin + height, margin : margin + width]


def crop(pixels: Pixels, share: float) -> Pixels:
    """Less this share at each of the four sides."""
    rows, columns = (round(extent * share) for extent in pixels.shape)
    return pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns]


def rewindow(pixels: Pixels, contrast: float, brightness: float) -> Pixels:
    """Grey g becomes (g - middle) * contrast + middle + brightness * 255, cut at black and white."""
    levels = (pixels.astype(np.float64) - _MIDDLE_GREY) * contrast + _MIDDLE_GREY + brightness * 255
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)


def _jpeg(quality: int) -> Perturbation:
    return Perturbation(f"JPEG, quality {quality}", lambda pixels: through_jpeg(pixels, quality))


def _rotation(degrees: float) -> Perturbation:
    return Perturbation(f"rotated by {degrees:+g} degree", lambda pixels: rotate(pixels, degrees))


def _window(name: str, contrast: float, brightness: float) -> Perturbation:
    return Perturbation(name, lambda pixels: rewindow(pixels, contrast, brightness))


PERTURBATIONS: tuple[Perturbation, ...] = (
    Perturbation("PNG", through_png, is_lossless=True),
    *(_jpeg(quality) for quality in JPEG_QUALITIES),
    _rotation(ANGLE_DEGREES),
    _rotation(-ANGLE_DEGREES),
    Perturbation(f"{100 * CROPPED_SHARE:g} % cropped at each side", lambda pixels: crop(pixels, CROPPED_SHARE)),
    _window(f"contrast +{_WINDOW_PERCENT} %", 1 + WINDOW_SHARE, 0),
    _window(f"contrast -{_WINDOW_PERCENT} %", 1 - WINDOW_SHARE, 0),
    _window(f"brightness +{_WINDOW_PERCENT} %", 1, WINDOW_SHARE),
    _window(f"brightness -{_WINDOW_PERCENT} %", 1, -WINDOW_SHARE),
)
