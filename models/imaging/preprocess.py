"""Pixels in source space -> the uint8 square that goes through a graph's door."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.imaging.geometry import Box, CenterCrop, Letterbox
from models.imaging.radiograph import Radiograph

# The official evaluation transform keeps the central 224 of 256 up to this size, and does not crop above it.
_CROP_SIDE_PX, _CROP_RESIZE_PX = 224, 256


class Geometry(StrEnum):
    """How a picture is brought onto the square; a bundle names one."""

    LETTERBOX = "letterbox"
    CENTER_CROP = "center-crop"


@dataclass(frozen=True, slots=True)
class InputContract:
    """What a model wants to see; the same in training and serving.

    Attributes:
        side: rows and columns of the model image.
        geometry: letterbox, or the official resize and centre crop.
        padding: grey level of what is no picture; 0 is air.
    """

    side: int
    geometry: Geometry = Geometry.LETTERBOX
    padding: int = 0

    def __post_init__(self) -> None:
        if self.side < 1 or not 0 <= self.padding <= 255:
            raise ValueError(f"side must be positive and padding within 0..255: {self}")

    def place(self, height: int, width: int, aspect: float = 1.0) -> Letterbox | CenterCrop:
        """Geometry of one picture of (height, width) under this contract, its pixels `aspect` times as high as wide."""
        if self.geometry is Geometry.LETTERBOX:
            return Letterbox(height, width, self.side, aspect=aspect)
        resize = self.side * _CROP_RESIZE_PX // _CROP_SIDE_PX if self.side <= _CROP_SIDE_PX else self.side
        return CenterCrop(height, width, self.side, resize, aspect=aspect)


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One radiograph as a model sees it.

    Attributes:
        image: (side, side) uint8; 255 is the densest tissue, as in MONOCHROME2.
        letterbox: maps model space to source space and back (a `CenterCrop` under that contract).
    """

    image: NDArray[np.uint8]
    letterbox: Letterbox | CenterCrop

    def __post_init__(self) -> None:
        side = self.letterbox.side
        if self.image.shape != (side, side) or self.image.dtype != np.uint8:
            raise ValueError(f"image must be ({side}, {side}) uint8, got {self.image.shape} {self.image.dtype}")


def prepare(radiograph: Radiograph | NDArray[np.uint8], contract: InputContract) -> ModelInput:
    """Bring one picture onto the model's square.

    Bicubic with antialiasing (Pillow's, whose kernel widens with the reduction): the filter of the official
    evaluation transform. Only the part of the picture that the square shows is computed, so a long thin picture
    under a centre crop costs no more than any other.

    Args:
        radiograph: a decoded radiograph or its pixels, (H, W) uint8, then taken to be square.
    """
    pixels, aspect = (radiograph.pixels, radiograph.aspect) if isinstance(radiograph, Radiograph) else (radiograph, 1.0)
    height, width = pixels.shape
    placement = contract.place(height, width, aspect)
    top, left, bottom, right = placement.content
    shown = placement.box_to_image(Box(top, left, bottom, right))
    # `box` moves the sampling grid; the kernel still reaches beyond it, as in a full resize that is cut afterwards.
    resized = Image.fromarray(pixels).resize(
        (right - left, bottom - top),
        Image.Resampling.BICUBIC,
        box=(shown.left, shown.top, shown.right, shown.bottom),
    )
    image = np.full((contract.side, contract.side), contract.padding, np.uint8)
    image[top:bottom, left:right] = np.asarray(resized)
    return ModelInput(image, placement)
