"""Pictures of 64 megapixels, a strip of rows at a time: which rows those are, and a PNG of them."""

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

_STRIP_PX: Final = 2**20


def row_strips(height: int, width: int) -> Iterator[slice]:
    """All rows of a picture, from the top, as many at a time as hold a mebipixel, or one."""
    step = max(1, _STRIP_PX // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def png_of_strips(
    strips: Iterable[NDArray[np.uint8]], height: int, width: int, notes: Mapping[str, str] | None = None
) -> bytes:
    """Encode an RGB picture that is there but once, as Pillow's image of four bytes a pixel.

    Fast: the default effort takes four times as long for 6 % fewer bytes.

    Args:
        strips: (h, width, 3), from the top; their heights add up to `height`.
        notes: text chunks by keyword (1 to 79 letters of Latin-1); they stand before the pixels.
    """
    image = Image.new("RGB", (width, height))
    row = 0
    for strip in strips:
        image.paste(Image.fromarray(strip), (0, row))
        row += len(strip)
    chunks = PngInfo()
    for keyword, text in (notes or {}).items():
        chunks.add_text(keyword, text)
    png = BytesIO()
    image.save(png, "PNG", compress_level=1, pnginfo=chunks)
    return png.getvalue()
