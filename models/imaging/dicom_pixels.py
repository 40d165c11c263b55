"""What the pixel modules of a DICOM data set say: how samples are stored, and how they become grey.

Part of the DICOM door: only `models.imaging.dicom` calls it, and translates what pydicom raises here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue

from models.errors import ImageTooLargeError, UndecodableImageError
from models.imaging.geometry import ASPECT_LIMIT
from models.imaging.grey import GreyPipeline, Rescale
from models.imaging.voi import Lut, Values, VoiFunction, Window

# Vertical, then horizontal; the first that a data set has counts.
ASPECT: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
_SQUARE_WITHIN = 0.01


@dataclass(frozen=True, slots=True)
class Layout:
    """Image Pixel Module, PS3.3, C.7.6.3, checked: one frame of 8 or 16 allocated bits."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    photometric: str

    @property
    def is_grey(self) -> bool:
        """Whether samples are to go through the grey pipeline; else they are colour, or indices into a palette."""
        return self.samples == 1 and self.photometric in ("MONOCHROME1", "MONOCHROME2")

    @property
    def num_bytes(self) -> int:
        """Length of the uncompressed frame (4:4:4)."""
        return self.rows * self.columns * self.samples * self.bits_allocated // 8


def layout_of(dataset: Dataset, *, limit_px: int) -> Layout:
    """Read the layout; nothing is allocated yet.

    Raises:
        ImageTooLargeError: rows x columns x frames is more than `limit_px`.
        UndecodableImageError: an attribute is missing or out of range, or there are several frames.
    """
    rows, columns = _integer(dataset, "Rows", 0), _integer(dataset, "Columns", 0)
    num_frames = _integer(dataset, "NumberOfFrames", 1) or 1
    if min(rows, columns, num_frames) < 1:
        raise UndecodableImageError("the header gives the image no size")
    if rows * columns * num_frames > limit_px:
        raise ImageTooLargeError(f"the image has more than {limit_px} pixels")
    if num_frames > 1:
        # A cine run or a tomosynthesis stack: which of its frames is the radiograph is not ours to guess.
        raise UndecodableImageError("the file holds several frames, a radiograph is one")
    samples, allocated = _integer(dataset, "SamplesPerPixel", 1), _integer(dataset, "BitsAllocated", 0)
    stored = _integer(dataset, "BitsStored", allocated)
    if samples not in (1, 3) or allocated not in (8, 16) or not 1 <= stored <= allocated:
        raise UndecodableImageError("only 1 or 3 samples a pixel, of up to 8 or 16 bits, are supported")
    high_bit = _integer(dataset, "HighBit", stored - 1)
    photometric = str(dataset.get("PhotometricInterpretation") or "").strip().upper()
    if not photometric:
        raise UndecodableImageError("the header has no Photometric Interpretation, so black and white are not known")
    return Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit if stored <= high_bit + 1 <= allocated else stored - 1,
        is_signed=_integer(dataset, "PixelRepresentation", 0) == 1,
        photometric=photometric,
    )


def aspect_of(dataset: Dataset) -> float:
    """Height of a pixel over its width: by its spacing, else by Pixel Aspect Ratio (PS3.3, C.7.6.3.1.7), else 1.

    Within a hundredth of square, and beyond what `Placement` takes, counts as square.
    """
    for keyword in ASPECT:
        height, width = (_number(dataset, keyword, index) for index in range(2))
        if height is not None and width is not None and min(height, width) > 0:
            aspect = height / width
            is_used = abs(aspect - 1) > _SQUARE_WITHIN and 1 / ASPECT_LIMIT <= aspect <= ASPECT_LIMIT
            return aspect if is_used else 1.0
    return 1.0


def pipeline_of(dataset: Dataset, layout: Layout) -> GreyPipeline:
    """Read the grey pipeline of a MONOCHROME1 or MONOCHROME2 data set.

    Of several windows or LUTs the first is taken. A window wins over a VOI LUT (they are alternatives, and viewers
    open with the window); a window that makes no sense (no width, no number) counts as none.
    """
    modality: Callable[[Values], Values]
    if sequence := dataset.get("ModalityLUTSequence"):
        modality = _lut(sequence[0], is_signed=layout.is_signed)
        is_output_signed = False
    else:
        modality = Rescale(_number(dataset, "RescaleSlope") or 1.0, _number(dataset, "RescaleIntercept") or 0.0)
        lowest = -(2.0 ** (layout.bits_stored - 1)) if layout.is_signed else 0.0
        highest = lowest + 2.0**layout.bits_stored - 1
        is_output_signed = bool(modality(np.array([lowest, highest])).min() < 0)
    voi: Window | Lut | None = _window(dataset)
    if voi is None and (sequence := dataset.get("VOILUTSequence")):
        voi = _lut(sequence[0], is_signed=is_output_signed)
    return GreyPipeline(
        bits=layout.bits_stored,
        is_signed=layout.is_signed,
        is_inverted=layout.photometric == "MONOCHROME1",
        modality=modality,
        voi=voi,
        padding=_padding(dataset, layout),
    )


def _window(dataset: Dataset) -> Window | None:
    center, width = _number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")
    if center is None or width is None:
        return None
    name = str(dataset.get("VOILUTFunction") or "").strip().upper()
    function = VoiFunction(name) if name in set(VoiFunction) else VoiFunction.LINEAR
    try:
        return Window(center, width, function)
    except ValueError:
        return None


def _lut(item: Dataset, *, is_signed: bool) -> Lut:
    """One item of a Modality or VOI LUT Sequence: PS3.3, C.11.1.1 and C.11.2.1.1."""
    num_entries, first, bits = (int(value) for value in item["LUTDescriptor"].value)
    num_entries = num_entries or 2**16
    data = item["LUTData"].value
    if isinstance(data, bytes):  # OW: 16-bit words, or in old files two 8-bit entries to a word
        word = "u2" if len(data) >= 2 * num_entries else "u1"
        entries = np.frombuffer(data, ("<" if item.original_encoding[1] in (None, True) else ">") + word)
    else:
        entries = np.asarray(data if isinstance(data, MultiValue | list) else [data])
    entries = entries[:num_entries].astype(np.uint16)
    if len(entries) == 0:
        raise UndecodableImageError("a look-up table of the header is empty")
    # The descriptor's words are US or SS by a rule that writers get wrong: read `first` by what it has to index.
    first = first % 2**16
    if is_signed and first >= 2**15:
        first -= 2**16
    return Lut(first, entries, max(bits, int(entries.max()).bit_length()) if bits in range(1, 17) else 16)


def _padding(dataset: Dataset, layout: Layout) -> tuple[int, int] | None:
    """Pixel Padding Value and Range Limit, (0028,0120) and (0028,0121), as stored values."""
    if dataset.get("PixelPaddingValue") is None:
        return None
    one_end = _integer(dataset, "PixelPaddingValue", 0)
    ends = [_stored(value, layout) for value in (one_end, _integer(dataset, "PixelPaddingRangeLimit", one_end))]
    return min(ends), max(ends)


def _stored(value: int, layout: Layout) -> int:
    """A padding value as the samples store it, whichever of US and SS it was written as."""
    if not layout.is_signed:
        return value % 2**16
    return (value + 2**15) % 2**16 - 2**15


def _integer(dataset: Dataset, keyword: str, default: int) -> int:
    value = dataset.get(keyword)
    return default if value is None or value == "" else int(value)


def _number(dataset: Dataset, keyword: str, index: int = 0) -> float | None:
    """Value `index` of a decimal string; None where it is missing, empty or no finite number."""
    value = dataset.get(keyword)
    if isinstance(value, MultiValue | list):
        value = value[index] if len(value) > index else None
    elif index:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None
