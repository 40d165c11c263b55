"""Stored values of a grey DICOM picture -> display grey: the pipeline of PS3.3, C.11 and C.7.6.3.

The grey of a pixel depends on its stored value alone, so the pipeline runs once a value (at most 65536), not once a
pixel, and in double precision. Order: padding, modality (rescale or LUT), VOI (window, else LUT, else a range),
polarity, eight bits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.imaging.voi import Lut, Range, Values, Window, to_grey

# Without window and VOI LUT, files of more than 8 bits show what lies between these shares of their pixels: markers,
# collimator edges and dead pixels are rarer than that, lung and mediastinum are not.
_RANGE_SHARE = 0.005
_BLOCK_ROWS = 64  # NumPy widens indices to 64 bits: of a few rows at a time, not of a 64-megapixel picture


@dataclass(frozen=True, slots=True)
class Rescale:
    """Rescale Slope and Intercept, (0028,1053) and (0028,1052)."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, values: Values) -> Values:
        """Modality values of stored values."""
        return values * self.slope + self.intercept


@dataclass(frozen=True, slots=True)
class GreyPipeline:
    """How a header says that stored values become grey.

    Attributes:
        bits: stored bits, 1 to 16.
        is_signed: stored values are two's complement.
        is_inverted: MONOCHROME1, the smallest value is the brightest.
        modality: rescale or modality LUT.
        voi: window or VOI LUT; None where the header has neither.
        padding: lowest and highest stored value of pixels that are no picture, if any; they become 0 (air).
    """

    bits: int
    is_signed: bool = False
    is_inverted: bool = False
    modality: Callable[[Values], Values] = field(default_factory=Rescale)
    voi: Window | Lut | None = None
    padding: tuple[int, int] | None = None

    def render(self, codes: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Grey picture of stored bit patterns.

        Args:
            codes: (H, W), the low `bits` of each stored value, as unsigned numbers.
        """
        table = self._table(codes)
        grey = np.empty(codes.shape, np.uint8)
        for start in range(0, len(codes), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            grey[rows] = table[codes[rows]]
        return grey

    def _table(self, codes: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """(2**bits,) grey of each bit pattern."""
        stored = np.arange(2**self.bits, dtype=np.int64)
        if self.is_signed:
            stored[2 ** (self.bits - 1) :] -= 2**self.bits
        is_picture = np.ones(len(stored), bool)
        if self.padding is not None:
            is_picture = (stored < self.padding[0]) | (stored > self.padding[1])
        values = self.modality(stored.astype(np.float64))
        voi = self.voi or self._range(values, is_picture, codes)
        levels = voi.levels(values)
        table = to_grey(-levels if self.is_inverted else levels)
        table[~is_picture] = 0
        return table

    def _range(self, values: Values, is_picture: NDArray[np.bool_], codes: NDArray[np.uint16]) -> Range:
        """What to show where the header does not say: all that 8 bits can store, else between two percentiles."""
        if self.bits <= 8:
            return Range(float(values.min()), float(values.max()))
        counts = np.zeros(len(values), np.int64)
        for start in range(0, len(codes), _BLOCK_ROWS):
            counts += np.bincount(codes[start : start + _BLOCK_ROWS].ravel(), minlength=len(values))
        counts[~is_picture] = 0
        order = np.argsort(values, kind="stable")
        values, counts = values[order], counts[order]
        # Counted from both ends alike, so that the inverse of a picture gets the inverse range.
        from_below, from_above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
        num_pixels = int(from_below[-1])
        if num_pixels == 0:
            return Range(0.0, 0.0)
        for ignored in (int(_RANGE_SHARE * num_pixels), 0):
            shown = values[(from_below > ignored) & (from_above > ignored)]
            if len(shown) and shown[0] < shown[-1]:
                return Range(float(shown[0]), float(shown[-1]))
        return Range(0.0, 0.0)
