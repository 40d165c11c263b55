"""The only reader of DICOM: bytes -> header, then radiograph.

Only the tags named here are read; who the patient is never enters the process's objects. Whatever pydicom and its
decoders raise over a damaged or hostile file is translated here, without its message, which may quote the header.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from pydicom import Dataset, Sequence, dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue

from models.errors import ThorascopeError, UndecodableImageError
from models.imaging.deflated import hides_deflation, inflate, is_deflated
from models.imaging.dicom_frame import grey_codes, luma
from models.imaging.dicom_pixels import ASPECT, aspect_of, layout_of, pipeline_of
from models.imaging.dicom_views import view_of, view_of_orientation
from models.imaging.radiograph import Header, ImageFormat, Radiograph

# pydicom logs the values it stumbles over, tracebacks of decoders included.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_HEADER = {
    "Modality": "modality",
    "BodyPartExamined": "body_part_examined",
    "ViewPosition": "view_position",
    "PhotometricInterpretation": "photometric_interpretation",
    "PresentationIntentType": "presentation_intent_type",
}
_READ_FIRST = (*_HEADER, "ViewCodeSequence", "PatientOrientation")
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
_UNDEFINED = 0xFFFFFFFF  # the length of an element that a delimiter ends
_ELEMENT_HEADER_BYTES = 12  # at the most
_CODE_STRING = re.compile(r"[A-Z0-9_ .,&/()+-]{1,64}")
_DEFLATED_SLACK_BYTES = 2**24  # what a deflated data set may hold besides its pixels


def decode_dicom(
    content: bytes, *, limit_px: int, check_header: Callable[[Header], None] = lambda _header: None
) -> Radiograph:
    """Decode the one frame of a grey image (of a colour image its luma), windowed, oriented as it is stored.

    Args:
        check_header: is shown the header before pixels are read; what it raises comes out.

    Raises:
        ImageTooLargeError: by its header the image has more than `limit_px` pixels, told before decoding; or a deflated
            data set inflates beyond what so many need.
        UndecodableImageError: damaged, several frames, an unsupported transfer syntax or layout.
    """
    with _translated():
        inflated, deflated_syntax = _inflated(content, limit_px)
        header = _header(_read(inflated, _READ_FIRST), deflated_syntax)
    check_header(header)
    with _translated():
        dataset = _read(inflated, _READ_FIRST + _PIXELS)
        if "PixelData" not in dataset:
            is_cut = _is_cut(inflated, dataset)
            raise UndecodableImageError(f"the DICOM file {'is damaged or cut' if is_cut else 'holds no Pixel Data'}")
        layout = layout_of(dataset, limit_px=limit_px)
        if layout.is_grey:
            pixels = pipeline_of(dataset, layout).render(grey_codes(dataset, layout))
        else:
            pixels = luma(dataset, layout)
        return Radiograph(pixels, ImageFormat.DICOM, header, aspect=aspect_of(dataset))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        with np.errstate(all="ignore"):
            yield
    except (ThorascopeError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableImageError("the DICOM file is damaged, or of a kind that is not supported") from error


def _inflated(content: bytes, limit_px: int) -> tuple[bytes, str | None]:
    """The file, its data set inflated, and the UID of the syntax that it came in where that was the deflated one."""
    if is_deflated(content):
        inflated = inflate(content, limit_bytes=2 * limit_px + _DEFLATED_SLACK_BYTES)
        return inflated, str(uid.DeflatedExplicitVRLittleEndian)
    if hides_deflation(content):
        raise UndecodableImageError("the file's meta information is damaged")
    return content, None


def _read(content: bytes, keywords: tuple[str, ...]) -> Dataset:
    """The named attributes; its meta information names a transfer syntax, recognised where the file names none."""
    without_pixels = "PixelData" not in keywords
    dataset = dcmread(BytesIO(content), stop_before_pixels=without_pixels, force=True, specific_tags=list(keywords))
    if not dataset.file_meta.get("TransferSyntaxUID"):
        is_implicit, is_little_endian = dataset.original_encoding
        explicit = uid.ExplicitVRLittleEndian if is_little_endian else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if is_implicit else explicit
    return dataset


def _is_cut(content: bytes, dataset: Dataset) -> bool:
    """Whether a file without pixels ends inside an element; pydicom then gives up all of it, or shortens that one.

    Args:
        dataset: all that was read of it.
    """
    before_pixels = dcmread(BytesIO(content), stop_before_pixels=True, force=True)
    if not before_pixels or ("Rows" in before_pixels and "Rows" not in dataset):
        return True
    raw = (element for element in before_pixels.values() if isinstance(element, RawDataElement))
    ends = (element.value_tell + element.length for element in raw if element.length != _UNDEFINED)
    left_bytes = len(content) - max(ends, default=0)
    return left_bytes != 0 and left_bytes < _ELEMENT_HEADER_BYTES


def _header(dataset: Dataset, syntax: str | None) -> Header:
    """What may leave the door.

    Args:
        syntax: UID of the transfer syntax; None where the data set names it.
    """
    codes = {name: _code(dataset.get(keyword)) for keyword, name in _HEADER.items()}
    codes["view_position"] = codes["view_position"] or _coded_view(dataset) or _oriented_view(dataset)
    return Header(**codes, transfer_syntax_uid=_code(syntax or dataset.file_meta.TransferSyntaxUID))


def _code(value: object) -> str | None:
    code = str(value or "").strip().upper()
    return code if _CODE_STRING.fullmatch(code) else None


def _coded_view(dataset: Dataset) -> str | None:
    """View Code Sequence, (0054,0220), as View Position has it."""
    sequence = dataset.get("ViewCodeSequence")
    if not isinstance(sequence, Sequence) or not sequence:
        return None
    scheme, code = (str(sequence[0].get(keyword) or "") for keyword in ("CodingSchemeDesignator", "CodeValue"))
    return view_of(scheme, code)


def _oriented_view(dataset: Dataset) -> str | None:
    orientation = dataset.get("PatientOrientation")
    return view_of_orientation([str(value) for value in orientation]) if isinstance(orientation, MultiValue) else None
