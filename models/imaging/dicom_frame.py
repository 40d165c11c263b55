"""The one frame of a DICOM data set, decompressed: stored bit patterns of a grey picture, or luma of a colour one.

Part of the DICOM door: only `models.imaging.dicom` calls it, and translates what decoders raise here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, uid
from pydicom.encaps import get_frame
from pydicom.pixels.processing import apply_color_lut

from models.errors import UndecodableImageError
from models.imaging import dicom_jpeg
from models.imaging.codestream import declared_size, has_end
from models.imaging.dicom_pixels import Layout

# One decoder a syntax, so that a file gives the same pixels wherever other decoders happen to be installed. A
# compressed syntax that is not named here is refused.
_DECODERS: dict[str, str] = {
    uid.RLELossless: "pydicom",
    uid.JPEGBaseline8Bit: "pillow",
    **dict.fromkeys(dicom_jpeg.DECODER_DEPENDENCIES, dicom_jpeg.PLUGIN),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "pyjpegls"),
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), "pylibjpeg"),
    **dict.fromkeys((uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), "pylibjpeg"),
}
_LOSSY = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K})
_RLE_HEADER_BYTES, _RLE_MAX_RATIO = 64, 64  # PackBits makes at most 128 bytes of two: PS3.5, annex G


def grey_codes(dataset: Dataset, layout: Layout) -> NDArray[np.uint16]:
    """(rows, columns): the stored bits of each sample, and nothing else, as an unsigned number."""
    samples = _samples(dataset, layout)
    syntax = dataset.file_meta.TransferSyntaxUID
    bits, mask = layout.bits_stored, 2**layout.bits_stored - 1
    if syntax in _LOSSY and not (layout.is_signed and syntax in dicom_jpeg.DECODER_DEPENDENCIES):
        # Numbers, not bit patterns: a lossy coder overshoots the stored range, and must not wrap around in it.
        lowest = -(2 ** (bits - 1)) if layout.is_signed else 0
        samples = np.asarray(np.clip(samples, lowest, lowest + mask), samples.dtype)
        shift = 0
    else:
        # Bit patterns, beside which old files keep overlays (PS3.5, 8.1.1), losslessly compressed ones too; JPEG knows
        # no sign, so its are patterns.
        shift = 0 if _is_codestream(syntax) else layout.high_bit + 1 - bits
    codes: NDArray[np.uint16] = samples.astype(np.uint16)
    return (codes >> np.uint16(shift)) & np.uint16(mask)


def luma(dataset: Dataset, layout: Layout) -> NDArray[np.uint8]:
    """(rows, columns): ITU-R 601 luma of RGB, YBR or palette colours; no window applies to these."""
    samples = _samples(dataset, layout)
    bits = layout.bits_stored
    if layout.photometric == "PALETTE COLOR":
        num_entries, _, entry_bits = dataset.RedPaletteColorLookupTableDescriptor
        samples = apply_color_lut(samples, dataset)
        if samples.dtype == np.uint8 and not 0 < num_entries <= 256:  # pydicom would count such indices modulo 256
            raise UndecodableImageError("a palette of more than 256 entries needs entries of 16 bits")
        bits = min(entry_bits, 8 * samples.dtype.itemsize)  # old files store 8-bit entries as 16-bit words
    if samples.ndim != 3 or samples.shape[2] < 3 or samples.dtype.kind != "u":
        raise UndecodableImageError("the photometric interpretation does not fit the samples")
    colours = (samples[..., :3] >> max(bits - 8, 0)).astype(np.uint8)
    return np.asarray(Image.fromarray(colours).convert("L"))


def _samples(dataset: Dataset, layout: Layout) -> NDArray[np.integer]:
    """Samples as the decoder returns them: (rows, columns) or (rows, columns, 3), colours as RGB."""
    syntax = dataset.file_meta.TransferSyntaxUID
    plugin = ""
    if syntax.is_encapsulated:
        if syntax not in _DECODERS:
            raise UndecodableImageError("the transfer syntax is not supported")
        plugin = _DECODERS[syntax]
        _check_frame(get_frame(dataset.PixelData, 0, number_of_frames=1), layout, is_rle=syntax == uid.RLELossless)
    elif layout.samples == 1 and len(dataset.PixelData) < layout.num_bytes:
        raise UndecodableImageError("the file holds fewer pixels than its header promises")
    # Where the header lacks these, the layout has what they are by default; pydicom asks for them, in capitals.
    dataset.SamplesPerPixel, dataset.BitsStored = layout.samples, layout.bits_stored
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = int(layout.is_signed), layout.photometric
    # `grey_codes` knows better about unused bits; pydicom takes no notice of the high bit.
    options: dict[str, Any] = {"correct_unused_bits": False}
    samples, _ = dicom_jpeg.decoder(syntax).as_array(dataset, index=0, decoding_plugin=plugin, **options)
    return samples


def _check_frame(frame: bytes, layout: Layout, *, is_rle: bool) -> None:
    """Refuse a frame that is cut, or would make its decoder allocate more than the header, which is bounded, announced.

    Not every decoder notices a cut: some make the rest of the picture up. Damage in the middle is theirs to notice:
    that of JPEG-LS does, that of HTJ2K at times, and the others decode a hole to some picture.
    """
    if is_rle:
        if layout.num_bytes > _RLE_MAX_RATIO * max(len(frame) - _RLE_HEADER_BYTES, 0):
            raise UndecodableImageError("the file holds fewer pixels than its header promises")
    elif declared_size(frame) != (layout.rows, layout.columns, layout.samples):
        raise UndecodableImageError("the header and the compressed frame disagree about the size of the image")
    elif not has_end(frame):
        raise UndecodableImageError("the compressed frame is cut")


def _is_codestream(syntax: uid.UID) -> bool:
    """Whether samples come out of a coder of numbers, rather than as the bytes that were written."""
    return syntax.is_encapsulated and syntax != uid.RLELossless
