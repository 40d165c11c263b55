"""Values of interest: modality values -> signed grey levels, by window, look-up table or plain range.

A signed grey level runs from -127.5 (black) to 127.5 (white), so that the negative of a picture is a change of sign.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class VoiFunction(StrEnum):
    """VOI LUT Function, (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """Window centre and width in modality units; the width is positive, and at least 1 for LINEAR.

    LINEAR is not symmetric about its centre: a window of width w shows the w whole values from c - w/2 to
    c + w/2 - 1, whose middle is c - 0.5. That is kept, for every viewer does so. The mirror of such a window under
    v -> M - v is therefore the centre M - c + 1, and with it the picture of the inverse data under MONOCHROME1 is, bit
    for bit, the picture of the data under MONOCHROME2. Mirrored to M - c it is shifted by one stored unit: one grey
    level at most where the width is 256 or more. The other two functions are symmetric about the centre.

    Source: PS3.3, C.11.2.1.2 and C.11.2.1.3.
    """

    center: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR

    def __post_init__(self) -> None:
        is_wide_enough = self.width >= 1 if self.function is VoiFunction.LINEAR else self.width > 0
        if not (np.isfinite(self.center) and np.isfinite(self.width) and is_wide_enough):
            raise ValueError("centre and width must be finite, the width positive and at least 1 for LINEAR")

    def levels(self, values: Values) -> Values:
        """Signed grey levels; what lies outside the window is black or white."""
        if self.function is VoiFunction.SIGMOID:
            return 127.5 * np.tanh(2 * (values - self.center) / self.width)
        if self.function is VoiFunction.LINEAR_EXACT:
            return _scaled(values - self.center, self.width)
        return _scaled(values - (self.center - 0.5), self.width - 1)


@dataclass(frozen=True, slots=True)
class Lut:
    """A look-up table of PS3.3, C.11.1 or C.11.2: `entries[0]` is for `first` and all below, the last for all above.

    Attributes:
        bits: entries are below 2**bits.
    """

    first: int
    entries: NDArray[np.uint16]
    bits: int

    def __call__(self, values: Values) -> Values:
        """Entries of values, rounded to whole numbers first."""
        index: NDArray[np.float64] = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[index.astype(np.int64)].astype(np.float64)

    def levels(self, values: Values) -> Values:
        """Signed grey levels: entry 0 is black, 2**bits - 1 white."""
        white = 2**self.bits - 1
        return _scaled(self(values) - white / 2, white)


@dataclass(frozen=True, slots=True)
class Range:
    """`low` is black, `high` white; where they are equal there is no contrast, and all is black."""

    low: float
    high: float

    def levels(self, values: Values) -> Values:
        """Signed grey levels; what lies outside the range is black or white."""
        if self.low == self.high:
            return np.full(values.shape, np.nan)
        return _scaled(values - (self.low + self.high) / 2, self.high - self.low)


def to_grey(levels: Values) -> NDArray[np.uint8]:
    """Round signed grey levels to the nearest of 0..255, ties away from the middle; NaN (no contrast) is black.

    So a change of sign is exactly the negative, which rounding half to even is not: 255 is odd. Level 0 alone has no
    negative; it is 128.
    """
    grey = np.where(levels >= 0, 128 + np.floor(levels), 127 + np.ceil(levels))
    return np.asarray(np.clip(np.nan_to_num(grey, nan=0.0), 0, 255), np.uint8)


def _scaled(distances: Values, width: float) -> Values:
    """Distances from the middle -> signed grey levels; without width the middle is a threshold."""
    if width == 0:
        return 127.5 * np.sign(distances)
    return np.clip(255 * distances / width, -127.5, 127.5)
