"""Bytes of unknown origin -> radiograph: the one door of the room."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from PIL import Image

from models.imaging.dicom import decode_dicom
from models.imaging.radiograph import Header, ImageFormat, Radiograph
from models.imaging.raster import decode_raster
from models.imaging.sniff import sniff

_DECODING: list[ExitStack] = []  # what each who is decoding has found in the libraries
_DECODING_LOCK = threading.Lock()


def decode(
    content: bytes, *, limit_px: int = 64_000_000, check_header: Callable[[Header], None] = lambda _header: None
) -> Radiograph:
    """Decode one upload, whatever its format. Nothing but a `ThorascopeError` comes out for any content.

    Where memory does not suffice, a `MemoryError` does.

    Args:
        check_header: is shown the header of a DICOM file before its pixels are read; what it raises comes out.

    Raises:
        UnsupportedMediaError: neither DICOM nor PNG nor JPEG.
        UndecodableImageError: one of these, but no image comes out of it.
        ImageTooLargeError: by its header it has more than `limit_px` pixels; told before decoding.
    """
    image_format = sniff(content)
    with _libraries_held_back():
        if image_format is ImageFormat.DICOM:
            return decode_dicom(content, limit_px=limit_px, check_header=check_header)
        return decode_raster(content, image_format, limit_px=limit_px)


@contextmanager
def _libraries_held_back() -> Iterator[None]:
    """No warnings, which may quote a header, and no limit of Pillow's own: both decoders have `limit_px` in its place.

    All threads share these: the last to leave puts back what the first has found.
    """
    with _DECODING_LOCK:
        _DECODING.append(_held_back())
    try:
        yield
    finally:
        with _DECODING_LOCK:
            _DECODING.pop().close()


def _held_back() -> ExitStack:
    """Closing it puts back what was there."""
    before = ExitStack()
    before.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    before.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = None
    return before
