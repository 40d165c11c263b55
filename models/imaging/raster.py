"""The only reader of PNG and JPEG: bytes -> radiograph.

Dense tissue is taken to be bright, as every public set of radiographs in these formats has it; a picture with the
other polarity is for the gate to notice.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from models.errors import ImageTooLargeError, ThorascopeError, UndecodableImageError
from models.imaging.colour import coloured_share
from models.imaging.radiograph import ImageFormat, Radiograph

_GREY_16_BIT = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_WITH_ALPHA = frozenset({"LA", "RGBA"})
_WITHOUT_POLARITY = frozenset({"CMYK", "YCCK"})


def decode_raster(content: bytes, image_format: ImageFormat, *, limit_px: int) -> Radiograph:
    """Decode a PNG or JPEG: the first frame, EXIF orientation applied, colours to ITU-R 601 luma, alpha over black.

    Args:
        image_format: the only format that is tried; formats beyond PNG and JPEG never reach Pillow.

    Raises:
        ImageTooLargeError: by its header it has more than `limit_px` pixels; told before decoding.
        UndecodableImageError: damaged, cut, or CMYK (a print space, whose polarity writers disagree about).
    """
    try:
        with Image.open(BytesIO(content), formats=(image_format.name,)) as image:
            _check_size(image, limit_px)
            image.load()
            ImageOps.exif_transpose(image, in_place=True)  # else it copies what is upright already
            seen = _opaque(image)
            return Radiograph(_grey(seen), image_format, coloured=coloured_share(seen))
    except (ThorascopeError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes Pillow raise OSError, SyntaxError, struct.error, KeyError ...
        raise UndecodableImageError(f"the {image_format.name} file is damaged or cut") from error


def _check_size(image: Image.Image, limit_px: int) -> None:
    if image.width * image.height > limit_px:
        raise ImageTooLargeError(f"the image has more than {limit_px} pixels")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode in _WITHOUT_POLARITY:
        raise UndecodableImageError("CMYK images are not supported")
    if image.mode in _GREY_16_BIT or not image.has_transparency_data:
        return image
    layer = image if image.mode in _WITH_ALPHA else image.convert("RGBA")
    opaque = Image.new("RGB", image.size)
    opaque.paste(layer, mask=layer)
    return opaque


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    return _scale_16_bit(np.asarray(image)) if image.mode in _GREY_16_BIT else np.array(image.convert("L"))


def _scale_16_bit(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Scale by the bits that are in use: 0 stays black, white is the next power of two above the brightest pixel.

    A 16-bit PNG does not say how many of its bits mean something: 10- and 12-bit detectors write 0..1023 or 0..4095
    into it, others fill it. Taking all 65535 for white would turn the former black; stretching each picture from its
    own darkest to its own brightest pixel would let one marker decide the exposure of the lungs.
    """
    bits = max(int(values.max()).bit_length(), 8)
    white = 2**bits - 1
    levels = np.asarray(np.clip(values, 0, white), np.uint32)
    return np.asarray((levels * 255 + white // 2) // white, np.uint8)
