"""The only reader of DICOM: bytes -> header, bytes -> radiograph.

Only the tags named here are read; who the patient is never enters the process's objects. Whatever pydicom and its
decoders raise over a damaged or hostile file is translated here, without its message, which may quote the header.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from pydicom import Dataset, dcmread, uid

from models.errors import ThorascopeError, UndecodableImageError
from models.imaging.deflated import hides_deflation, inflate, is_deflated
from models.imaging.dicom_frame import grey_codes, luma
from models.imaging.dicom_pixels import ASPECT, aspect_of, layout_of, pipeline_of
from models.imaging.radiograph import Header, ImageFormat, Radiograph

# pydicom logs the values it stumbles over, tracebacks of decoders included.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_HEADER = ("Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation")
_PALETTES = ("RedPalette", "GreenPalette", "BluePalette")
_PIXELS = (
    *("SamplesPerPixel", "Rows", "Columns", "NumberOfFrames", "PlanarConfiguration", "PixelRepresentation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelData"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *ASPECT,
    *(f"{palette}ColorLookupTableDescriptor" for palette in _PALETTES),
    *(f"{palette}ColorLookupTableData" for palette in _PALETTES),
    *(f"Segmented{palette}ColorLookupTableData" for palette in _PALETTES),
)
_CODE_STRING = re.compile(r"[A-Z0-9_ .,&/()+-]{1,64}")
_DEFLATED_SLACK_BYTES = 2**24  # what a deflated data set may hold besides its pixels


def read_header(content: bytes, *, limit_px: int = 64_000_000) -> Header:
    """Read the five attributes that may leave the door; pixels are not decoded.

    Raises:
        UndecodableImageError: the data set cannot be parsed.
        ImageTooLargeError: a deflated data set inflates beyond what `limit_px` pixels need.
    """
    with _translated():
        return _header(*_read(content, _HEADER, limit_px))


def decode_dicom(content: bytes, *, limit_px: int) -> Radiograph:
    """Decode the one frame of a grey image (of a colour image its luma), windowed, oriented as it is stored.

    Raises:
        ImageTooLargeError: by its header the image has more than `limit_px` pixels; told before decoding.
        UndecodableImageError: damaged, several frames, an unsupported transfer syntax or layout.
    """
    with _translated():
        dataset, syntax = _read(content, _HEADER + _PIXELS, limit_px)
        layout = layout_of(dataset, limit_px=limit_px)
        if layout.is_grey:
            pixels = pipeline_of(dataset, layout).render(grey_codes(dataset, layout))
        else:
            pixels = luma(dataset, layout)
        return Radiograph(pixels, ImageFormat.DICOM, _header(dataset, syntax), aspect=aspect_of(dataset))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # they quote values too
            yield
    except (ThorascopeError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableImageError("the DICOM file is damaged, or of a kind that is not supported") from error


def _read(content: bytes, keywords: tuple[str, ...], limit_px: int) -> tuple[Dataset, str]:
    """The named attributes, and the UID of the transfer syntax the file came in.

    The data set's own meta information then names the syntax its bytes are in now: inflated, or recognised where the
    file has no meta information.
    """
    deflated = is_deflated(content)
    if deflated:
        content = inflate(content, limit_bytes=2 * limit_px + _DEFLATED_SLACK_BYTES)
    elif hides_deflation(content):
        raise UndecodableImageError("the file's meta information is damaged")
    without_pixels = "PixelData" not in keywords
    dataset = dcmread(BytesIO(content), stop_before_pixels=without_pixels, force=True, specific_tags=list(keywords))
    if not dataset.file_meta.get("TransferSyntaxUID"):
        is_implicit, is_little_endian = dataset.original_encoding
        explicit = uid.ExplicitVRLittleEndian if is_little_endian else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if is_implicit else explicit
    syntax = uid.DeflatedExplicitVRLittleEndian if deflated else dataset.file_meta.TransferSyntaxUID
    return dataset, str(syntax)


def _header(dataset: Dataset, syntax: str) -> Header:
    codes = (str(dataset.get(keyword) or "").strip().upper() for keyword in _HEADER)
    return Header(*(code if _CODE_STRING.fullmatch(code) else None for code in (*codes, syntax)))
