"""How much of a picture has a colour that no tint explains: radiographs are grey, or tinted as a whole."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE: Final = 64
_STEPS: Final = 8  # of equally many pixels each, by luma
_EXPLAINED: Final = 12.0  # grey levels between a pixel's chroma and that of its step

COLOURED_ABOVE: Final = 0.25  # share; arrows, writing and a viewer's buttons stay below it


def coloured_share(image: Image.Image) -> float:
    """Share of a picture, 0 to 1, whose chroma is not that of its luma; 0 where the picture is grey.

    A tint, of a phone's white balance or of a false-colour table, gives each grey level one colour. So the picture is
    shrunk, its pixels are cut into steps by luma, and each is compared with the median chroma of its step, which
    arrows and labels do not move.

    Args:
        image: in any mode that Pillow converts to RGB.
    """
    if image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;"):
        return 0.0
    levels: NDArray[np.float64] = np.asarray(_shrunk(image).convert("YCbCr"), np.float64).reshape(-1, 3)
    steps = levels[np.argsort(levels[:, 0], kind="stable"), 1:].reshape(_STEPS, -1, 2)
    distance = np.linalg.norm(steps - np.median(steps, axis=1, keepdims=True), axis=2)
    return float((distance > _EXPLAINED).mean())


def _shrunk(image: Image.Image) -> Image.Image:
    """What `image.convert("RGB").resize(..., reducing_gap=2.0)` gives, without a converted copy of all of it."""
    across, down = (max(1, extent // (2 * _SIDE)) for extent in image.size)
    reduced = Image.new("RGB", (-(-image.width // across), -(-image.height // down)))
    for row in range(reduced.height):
        strip = image.crop((0, row * down, image.width, min((row + 1) * down, image.height)))
        reduced.paste(strip.convert("RGB").reduce((across, down)), (0, row))
    box = (0, 0, image.width / across, image.height / down)
    return reduced.resize((_SIDE, _SIDE), Image.Resampling.BOX, box)
