"""A pydicom decoder plug-in for JPEG Lossless and 12-bit JPEG, over imagecodecs (libjpeg-turbo; BSD).

pydicom knows GPL-licensed or C++ toolkit decoders alone for these; Pillow reads neither. The names and signatures are
those that `pydicom.pixels.decoders.base.Decoder.add_plugin` asks for.

imagecodecs passes over libjpeg's warnings: of a frame that is cut or has a hole, the rest is made up. The caller checks
that the frame has its end (`models.imaging.codestream.has_end`); a hole in the middle nobody notices.
"""

from functools import cache

import imagecodecs
import numpy as np
from pydicom.pixels.decoders.base import Decoder, DecodeRunner, get_decoder
from pydicom.uid import UID, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

PLUGIN = "imagecodecs"
DECODER_DEPENDENCIES = {
    JPEGExtended12Bit: ("numpy", "imagecodecs"),
    JPEGLossless: ("numpy", "imagecodecs"),
    JPEGLosslessSV1: ("numpy", "imagecodecs"),
}


def is_available(uid: str) -> bool:
    """Whether imagecodecs brings a libjpeg-turbo that decodes `uid`."""
    return uid in DECODER_DEPENDENCIES and bool(imagecodecs.JPEG8.available)


def _decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Decode one grey frame; colour does not occur in radiographs of these syntaxes and is refused."""
    if runner.samples_per_pixel != 1:
        raise NotImplementedError("only one sample a pixel")
    samples = imagecodecs.jpeg8_decode(src)
    runner.set_option("bits_allocated", samples.dtype.itemsize * 8)
    return np.ascontiguousarray(samples).tobytes()


@cache
def decoder(uid: UID) -> Decoder:
    """pydicom's decoder of one transfer syntax, with this plug-in added where it has a use.

    Raises:
        NotImplementedError: no decoder is known for `uid`.
    """
    found = get_decoder(uid)
    if uid in DECODER_DEPENDENCIES:
        found.add_plugin(PLUGIN, (__name__, "_decode_frame"))
    return found
