"""A decoded radiograph, and the little of its header that may leave the decoder."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class ImageFormat(StrEnum):
    """Container formats that uploads may have."""

    DICOM = "dicom"
    PNG = "png"
    JPEG = "jpeg"


@dataclass(frozen=True, slots=True)
class Header:
    """The six attributes of a DICOM header that leave the door; none of them tells who the patient is.

    An attribute that the file lacks, leaves empty or fills with something that is no code string is None.

    Attributes:
        view_position: where View Position is None, what View Code Sequence says, else what Patient Orientation does
            (`models.imaging.dicom_views`).
    """

    modality: str | None = None
    body_part_examined: str | None = None
    view_position: str | None = None
    photometric_interpretation: str | None = None
    transfer_syntax_uid: str | None = None
    presentation_intent_type: str | None = None


@dataclass(frozen=True, slots=True)
class Radiograph:
    """One picture in source space: upright as a viewer shows it, windowed, dense tissue bright.

    Attributes:
        pixels: (H, W) uint8; 255 is the densest tissue, as in MONOCHROME2.
        format: container the picture came in.
        header: None for PNG and JPEG.
        aspect: height of a pixel over its width, 1 but for a DICOM file that says otherwise.
        coloured: share of the picture, 0 to 1, whose colour no tint explains (`models.imaging.colour`); 0 for DICOM.
    """

    pixels: NDArray[np.uint8]
    format: ImageFormat
    header: Header | None = None
    coloured: float = 0.0
    aspect: float = 1.0

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8 or 0 in self.pixels.shape:
            raise ValueError(f"pixels must be (H, W) uint8, not empty; got {self.pixels.shape} {self.pixels.dtype}")
