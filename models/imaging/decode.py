"""Bytes of unknown origin -> radiograph: the one door of the room."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image

from models.imaging.dicom import decode_dicom
from models.imaging.radiograph import Header, ImageFormat, Radiograph
from models.imaging.raster import decode_raster
from models.imaging.sniff import sniff

_LIMITS: list[int | None] = []  # of Pillow, as each who is decoding has found it
_LIMIT_LOCK = threading.Lock()


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
    with _without_limit_of_pillow():
        if image_format is ImageFormat.DICOM:
            return decode_dicom(content, limit_px=limit_px, check_header=check_header)
        return decode_raster(content, image_format, limit_px=limit_px)


@contextmanager
def _without_limit_of_pillow() -> Iterator[None]:
    """Pillow warns above a limit of its own and raises above twice that; both decoders have `limit_px` in its place.

    Threads share it: the last to leave puts back what the first has found.
    """
    with _LIMIT_LOCK:
        _LIMITS.append(Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _LIMIT_LOCK:
            Image.MAX_IMAGE_PIXELS = _LIMITS.pop()
