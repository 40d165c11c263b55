"""A map, boxes and captions laid over a picture."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.imaging.geometry import Box
from models.imaging.heatmap import colourise

_BLOCK_ROWS: Final = 256  # pictures of 64 megapixels are coloured piece by piece
_OPACITY: Final = 0.6  # of the hottest spot; cold ones are transparent
_BOX_COLOUR: Final = (64, 224, 255)

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def overlay(
    pixels: NDArray[np.uint8], values: NDArray[np.floating], boxes: Sequence[Box] = (), captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Lay a map over a picture: the hotter, the less transparent; then draw boxes, each with its caption.

    Args:
        pixels: (H, W).
        values: (H, W) in [0, 1], in the same space as pixels and boxes.
        captions: none, or one a box; they keep clear of one another while there is room below.

    Returns:
        (H, W, 3) RGB.
    """
    if captions and len(captions) != len(boxes):
        raise ValueError(f"{len(captions)} captions for {len(boxes)} boxes")
    mixed = np.empty((*pixels.shape, 3), np.uint8)
    for start in range(0, len(pixels), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        opacity = (_OPACITY * np.clip(np.nan_to_num(values[rows]), 0, 1))[..., None]
        mixed[rows] = pixels[rows, :, None] * (1 - opacity) + colourise(values[rows]) * opacity + 0.5
    image = Image.fromarray(mixed)
    draw = ImageDraw.Draw(image)
    unit = max(1, min(pixels.shape) // 300)
    font = ImageFont.load_default(size=max(10, 11 * unit))
    for box in boxes:
        draw.rectangle(
            (box.left, box.top, max(box.right - 1, box.left), max(box.bottom - 1, box.top)), None, _BOX_COLOUR, unit
        )
    taken: list[Box] = []
    for text, box in zip(captions, boxes, strict=False):
        place = _free_place(_caption_place(draw, text, box, font, unit), taken, len(pixels))
        draw.text((place.left, place.top), text, _BOX_COLOUR, font, stroke_width=unit, stroke_fill=(0, 0, 0))
        taken.append(place)
    return np.array(image)


def _caption_place(draw: ImageDraw.ImageDraw, text: str, box: Box, font: _Font, unit: int) -> Box:
    """Above the box, or inside where there is no room above; never past the right edge while it fits."""
    _, _, right, bottom = draw.textbbox((0, 0), text, font)
    height, left = bottom + 2 * unit, max(0, min(box.left + unit, draw.im.size[0] - right - unit))
    top = box.top - height if box.top >= height else box.top + unit
    return Box(top, left, top + height, left + right)


def _free_place(place: Box, taken: Sequence[Box], rows: int) -> Box:
    """The nearest at or below it that is on no other caption; where there is none down to the last row, the place."""
    free = place
    while blocking := next((other for other in taken if _overlap(free, other)), None):
        free = Box(blocking.bottom, place.left, blocking.bottom + place.bottom - place.top, place.right)
        if free.bottom > rows:
            return place
    return free


def _overlap(one: Box, other: Box) -> bool:
    """Whether they have a point in common; edges do not count."""
    return one.top < other.bottom and other.top < one.bottom and one.left < other.right and other.left < one.right
