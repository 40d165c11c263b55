"""A map, boxes and captions laid over a picture."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.imaging.captions import Colour, Lettering, caption_places, colour_of, note_place, noted_strips
from models.imaging.geometry import Box
from models.imaging.heatmap import colourise
from models.imaging.strips import row_strips

_OPACITY: Final = 0.6  # of the hottest spot; cold ones are transparent


def overlay(
    pixels: NDArray[np.uint8], values: NDArray[np.floating], boxes: Sequence[Box] = (), captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Lay a map over a picture: the hotter, the less transparent; then draw boxes, each with its caption.

    Args:
        pixels: (H, W).
        values: (H, W) in [0, 1], in the same space as pixels and boxes.
        captions: none, or one a box and in its colour; they keep clear of one another while there is room.

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
    note: str = "",
) -> Iterator[NDArray[np.uint8]]:
    """As `overlay`, a strip of rows at a time.

    Args:
        values: strips of a map, from the top, which together are as high as the picture.
        note: a line at the bottom, which captions keep clear of.
    """
    if captions and len(captions) != len(boxes):
        raise ValueError(f"{len(captions)} captions for {len(boxes)} boxes")
    height, width = pixels.shape
    return noted_strips(_boxed_strips(pixels, values, boxes, captions, note), height, width, note)


def _boxed_strips(
    pixels: NDArray[np.uint8],
    values: Iterable[NDArray[np.floating]],
    boxes: Sequence[Box],
    captions: Sequence[str],
    note: str,
) -> Iterator[NDArray[np.uint8]]:
    height, width = pixels.shape
    lettering = Lettering.of(height, width)
    taken = [note_place(note, height, width)] if note else []
    places = caption_places(captions, boxes, (height, width), lettering, taken)
    start = 0
    for strip in values:
        image = Image.fromarray(_mixed(pixels[start : start + len(strip)], strip))
        for number, box in enumerate(boxes):
            _draw_box(image, box, start, lettering.unit, colour_of(number))
        for number, (text, place) in enumerate(zip(captions, places, strict=False)):
            lettering.write(image, text, place, start, colour_of(number))
        yield np.array(image)
        start += len(strip)


def _mixed(pixels: NDArray[np.uint8], values: NDArray[np.floating]) -> NDArray[np.uint8]:
    opacity = (_OPACITY * np.clip(np.nan_to_num(values), 0, 1))[..., None]
    return np.asarray(pixels[..., None] * (1 - opacity) + colourise(values) * opacity + 0.5, np.uint8)


def _draw_box(image: Image.Image, box: Box, start: int, unit: int, colour: Colour) -> None:
    """As much of it as is on the strip that begins at row `start`."""
    top, left, bottom, right = (math.floor(edge) for edge in (box.top, box.left, box.bottom - 1, box.right - 1))
    edges = (left, top - start, max(right, left), max(bottom, top) - start)
    ImageDraw.Draw(image).rectangle(edges, None, colour, unit)
