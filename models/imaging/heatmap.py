"""Maps over a picture: scaling, boxes, colours, and the way from model space back to source space."""

import math
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from models.imaging.geometry import Box, Placement
from models.imaging.strips import row_strips

# Dark to bright with steady lightness, so that it survives grey printing and colour blindness.
_ANCHORS = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ]
)
_COLOURS = np.stack(
    [np.interp(np.linspace(0, len(_ANCHORS) - 1, 256), np.arange(len(_ANCHORS)), channel) for channel in _ANCHORS.T],
    axis=1,
).astype(np.uint8)


def min_max(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Min-max to [0, 1], any shape; a flat map carries no evidence and becomes all zeros."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.zeros(values.shape, np.float32)
    return ((values - low) / (high - low)).astype(np.float32)


def upsample(grid: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """(G, G) -> (side, side), bilinear between cell centres, constant beyond the outermost."""
    image = Image.fromarray(np.ascontiguousarray(grid, np.float32))
    return np.array(image.resize((side, side), Image.Resampling.BILINEAR))


def saliency_map(grid: NDArray[np.floating], placement: Placement) -> NDArray[np.float32]:
    """Raw (G, G) saliency -> (S, S) in [0, 1], scaled over the picture alone; padding is 0 and sets no maximum.

    Cells that are all padding take no part: the nearest cells that hold picture stand in for them, so that nothing of
    them seeps over the picture's edge while the grid is enlarged.
    """
    top, left, bottom, right = placement.content
    rows, columns = cells_inside(len(grid), placement)
    around = [(rows.start, len(grid) - rows.stop), (columns.start, len(grid) - columns.stop)]
    enlarged = upsample(np.pad(grid[rows, columns], around, mode="edge"), placement.side)
    scaled = np.zeros_like(enlarged)
    scaled[top:bottom, left:right] = min_max(enlarged[top:bottom, left:right])
    return scaled


def cells_inside(num_cells: int, placement: Placement) -> tuple[slice, slice]:
    """Rows and columns of a grid of `num_cells` a side that hold picture, if only in part."""
    top, left, bottom, right = placement.content
    cell = placement.side / num_cells
    rows = slice(math.floor(top / cell), math.ceil(bottom / cell))
    return rows, slice(math.floor(left / cell), math.ceil(right / cell))


def largest_box(values: NDArray[np.floating], threshold: float) -> Box | None:
    """Box round the largest 8-connected region above `threshold`; of equals the topmost; None if there is none.

    Source: the localisation rule of arXiv:2210.12843 (largest connected component of the thresholded map).
    """
    regions, num_regions = ndimage.label(values > threshold, structure=np.ones((3, 3)))
    if num_regions == 0:
        return None
    largest = int(np.argmax(np.bincount(regions.ravel())[1:]))
    rows, columns = ndimage.find_objects(regions)[largest]
    return Box(rows.start, columns.start, rows.stop, columns.stop)


def mean_inside(values: NDArray[np.floating], box: Box) -> float:
    """Mean of a map over a box of whole pixels that is not empty: the score of the box."""
    return float(values[int(box.top) : int(box.bottom), int(box.left) : int(box.right)].mean())


def source_strips(
    values: NDArray[np.floating], placement: Placement, fill: float = 0.0
) -> Iterator[NDArray[np.float32]]:
    """(S, S) in model space -> (H, W) in source space, in `row_strips`, bilinear; `fill` where the model saw nothing.

    Values of the padding never bleed into the picture: at its border the outermost row or column goes on.
    """
    top, left, bottom, right = placement.content
    (rows, columns), (first_row, first_column) = placement.resized, placement.offset
    y = first_row + (np.arange(placement.height) + 0.5) * rows / placement.height
    x = first_column + (np.arange(placement.width) + 0.5) * columns / placement.width
    (y0, y1, fy), (x0, x1, fx) = _taps(y, top, bottom), _taps(x, left, right)
    is_seen, seen_columns = (y >= top) & (y < bottom), np.flatnonzero((x >= left) & (x < right))
    seen = slice(seen_columns[0], seen_columns[-1] + 1)
    x0, x1, fx = x0[seen], x1[seen], fx[seen]
    for strip in row_strips(placement.height, placement.width):
        source = np.full((strip.stop - strip.start, placement.width), fill, np.float32)
        inside = np.flatnonzero(is_seen[strip])
        block = strip.start + inside
        lines = values[y0[block]] * (1 - fy[block, None]) + values[y1[block]] * fy[block, None]
        source[inside, seen] = lines[:, x0] * (1 - fx) + lines[:, x1] * fx
        yield source


def _taps(
    at: NDArray[np.float64], start: int, stop: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The two pixels of start..stop-1 whose centres enclose each coordinate, and the share of the second."""
    centre = np.clip(at - 0.5, start, stop - 1)
    first = np.floor(centre).astype(np.intp)
    return first, np.minimum(first + 1, stop - 1), (centre - first).astype(np.float32)


def colourise(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(H, W) in [0, 1] -> (H, W, 3) RGB; NaN is shown as 0."""
    steps = np.asarray(np.clip(np.nan_to_num(values), 0, 1) * 255 + 0.5, np.uint8)
    return np.asarray(_COLOURS[steps])


def png_bytes(array: NDArray[np.uint8]) -> bytes:
    """Encode (H, W) grey or (H, W, 3) RGB, fast: the default effort takes four times as long for 6 % fewer bytes."""
    buffer = BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
