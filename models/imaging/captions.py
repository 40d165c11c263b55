"""Where words stand on a picture, and their colours: one for each box, told apart on grey and on a map's colours."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.imaging.geometry import Box

Colour: TypeAlias = tuple[int, int, int]

# As many as findings. The first six are after Okabe and Ito, without the dark ones and as light as grey and the map's
# purple and orange need; few pictures take more. Any two are 31 or more apart in CIELAB.
_COLOURS: Final[tuple[Colour, ...]] = (
    (64, 224, 255),  # cyan
    (240, 228, 66),  # yellow
    (255, 150, 215),  # pink
    (70, 220, 130),  # green
    (255, 165, 60),  # orange
    (190, 175, 255),  # lavender
    (240, 60, 255),  # magenta
    (0, 255, 0),  # lime
    (255, 90, 90),  # red
    (70, 140, 255),  # blue
    (165, 160, 60),  # olive
    (255, 70, 160),  # rose
    (0, 170, 150),  # teal
    (255, 255, 255),  # white
)
_NOTE_COLOUR: Final[Colour] = (255, 255, 255)
_BLACK: Final[Colour] = (0, 0, 0)


def colour_of(number: int) -> Colour:
    """Of the box at that place in the list, and of its caption; after fourteen they repeat."""
    return _COLOURS[number % len(_COLOURS)]


@dataclass(frozen=True, slots=True)
class Lettering:
    """How a picture is written on.

    Attributes:
        unit: width of lines and of the black rim of letters, in pixels.
    """

    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    unit: int

    @classmethod
    def of(cls, height: int, width: int) -> Self:
        """In proportion to the picture."""
        unit = max(1, min(height, width) // 300)
        return cls(ImageFont.load_default(size=max(10, 11 * unit)), unit)

    def fitting(self, text: str, width: int) -> Self:
        """The same, or smaller where the text would be wider than the picture."""
        taken = self.font.getbbox(text)[2] + 2 * self.unit
        if taken <= width or not isinstance(self.font, ImageFont.FreeTypeFont):
            return self
        return type(self)(ImageFont.load_default(size=max(1, int(self.font.size * width / taken))), self.unit)

    def write(self, image: Image.Image, text: str, place: Box, start: int, colour: Colour) -> None:
        """As much of the text as is on the strip that begins at row `start`; its rim goes beyond its place."""
        top = place.top - start
        if top - self.unit < image.height and place.bottom - start + self.unit > 0:
            draw = ImageDraw.Draw(image)
            draw.text((place.left, top), text, colour, self.font, stroke_width=self.unit, stroke_fill=_BLACK)


def caption_places(
    captions: Sequence[str],
    boxes: Sequence[Box],
    size: tuple[int, int],
    lettering: Lettering,
    taken: Sequence[Box] = (),
) -> list[Box]:
    """Where each caption stands: clear of the others and of what is `taken`, while there is room.

    It is tried above its box, inside its top, below it, inside its bottom, and then from the first of these downwards.
    """
    blocked = [*taken]
    places = []
    for text, box in zip(captions, boxes, strict=False):
        place = _free_place(_places_at(text, box, size, lettering), blocked, size[0])
        places.append(place)
        blocked.append(place)
    return places


def noted_strips(
    strips: Iterable[NDArray[np.uint8]], height: int, width: int, note: str
) -> Iterator[NDArray[np.uint8]]:
    """Strips of an RGB picture, from the top, with a line of text at its bottom; unchanged without one."""
    if not note:
        yield from strips
        return
    lettering, place = _noted(note, height, width)
    start = 0
    for strip in strips:
        image = Image.fromarray(strip)
        lettering.write(image, note, place, start, _NOTE_COLOUR)
        yield np.array(image)
        start += len(strip)


def note_place(note: str, height: int, width: int) -> Box:
    """Where `noted_strips` writes: along the bottom, from the left."""
    return _noted(note, height, width)[1]


def _noted(note: str, height: int, width: int) -> tuple[Lettering, Box]:
    lettering = Lettering.of(height, width).fitting(note, width)
    _, _, right, bottom = lettering.font.getbbox(note)
    unit = lettering.unit
    return lettering, Box(max(0, height - bottom - 2 * unit), unit, height, unit + right)


def _places_at(text: str, box: Box, size: tuple[int, int], lettering: Lettering) -> list[Box]:
    """Those at the box that lie on the picture, the best first; never past the right edge while the text fits."""
    rows, columns = size
    unit = lettering.unit
    _, _, right, bottom = lettering.font.getbbox(text)
    height, left = bottom + 2 * unit, max(0, min(box.left + unit, columns - right - unit))
    tops = (box.top - height, box.top + unit, box.bottom + unit, box.bottom - height)
    fitting = [top for top in tops if top >= 0 and top + height <= rows]
    return [Box(top, left, top + height, left + right) for top in fitting or [box.top + unit]]


def _free_place(wanted: Sequence[Box], taken: Sequence[Box], rows: int) -> Box:
    """The first that is on nothing taken, else the nearest below the first; where there is none, the first."""
    for place in wanted:
        if not any(_overlap(place, other) for other in taken):
            return place
    first = free = wanted[0]
    while blocking := next((other for other in taken if _overlap(free, other)), None):
        free = Box(blocking.bottom, first.left, blocking.bottom + first.bottom - first.top, first.right)
        if free.bottom > rows:
            return first
    return free


def _overlap(one: Box, other: Box) -> bool:
    """Whether they have a point in common; edges do not count."""
    return one.top < other.bottom and other.top < one.bottom and one.left < other.right and other.left < one.right
