"""A map, boxes and captions laid over a picture."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.imaging.geometry import Box
from models.imaging.heatmap import colourise
from models.imaging.strips import row_strips

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
    strips = (values[rows] for rows in row_strips(*values.shape))
    return np.concatenate([*overlay_strips(pixels, strips, boxes, captions)])


def overlay_strips(
    pixels: NDArray[np.uint8],
    values: Iterable[NDArray[np.floating]],
    boxes: Sequence[Box] = (),
    captions: Sequence[str] = (),
) -> Iterator[NDArray[np.uint8]]:
    """As `overlay`, a strip of rows at a time.

    Args:
        values: strips of a map, from the top, which together are as high as the picture.
    """
    if captions and len(captions) != len(boxes):
        raise ValueError(f"{len(captions)} captions for {len(boxes)} boxes")
    unit = max(1, min(pixels.shape) // 300)
    font = ImageFont.load_default(size=max(10, 11 * unit))
    places: list[Box] = []
    for text, box in zip(captions, boxes, strict=False):
        place = _caption_place(text, box, pixels.shape[1], font, unit)
        places.append(_free_place(place, places, len(pixels)))
    start = 0
    for strip in values:
        image = Image.fromarray(_mixed(pixels[start : start + len(strip)], strip))
        draw = ImageDraw.Draw(image)
        for box in boxes:
            _draw_box(draw, box, start, unit)
        for text, place in zip(captions, places, strict=False):
            _draw_caption(draw, text, (place.left, place.top - start, place.bottom - start), font, unit)
        yield np.array(image)
        start += len(strip)


def _mixed(pixels: NDArray[np.uint8], values: NDArray[np.floating]) -> NDArray[np.uint8]:
    opacity = (_OPACITY * np.clip(np.nan_to_num(values), 0, 1))[..., None]
    return np.asarray(pixels[..., None] * (1 - opacity) + colourise(values) * opacity + 0.5, np.uint8)


def _draw_box(draw: ImageDraw.ImageDraw, box: Box, start: int, unit: int) -> None:
    """As much of it as is on the strip that begins at row `start`."""
    top, left, bottom, right = (math.floor(edge) for edge in (box.top, box.left, box.bottom - 1, box.right - 1))
    draw.rectangle((left, top - start, max(right, left), max(bottom, top) - start), None, _BOX_COLOUR, unit)


def _draw_caption(
    draw: ImageDraw.ImageDraw, text: str, place: tuple[float, float, float], font: _Font, unit: int
) -> None:
    """As much of it as is on the strip.

    Args:
        place: left, and top and bottom as rows of the strip; the stroke goes beyond.
    """
    left, top, bottom = place
    if top - unit < draw.im.size[1] and bottom + unit > 0:
        draw.text((left, top), text, _BOX_COLOUR, font, stroke_width=unit, stroke_fill=(0, 0, 0))


def _caption_place(text: str, box: Box, width: int, font: _Font, unit: int) -> Box:
    """Above the box, or inside where there is no room above; never past the right edge while it fits."""
    _, _, right, bottom = font.getbbox(text)
    height, left = bottom + 2 * unit, max(0, min(box.left + unit, width - right - unit))
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
