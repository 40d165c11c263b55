"""From raw maps at model size to what may be said about the picture: no padding in them, boxes in source space."""

import math

import numpy as np
from numpy.typing import NDArray

from models.imaging.geometry import Box, Placement
from models.imaging.heatmap import largest_box, rescale, upsample
from service.inference.answers import ScoredBox


def maximum_inside(grid: NDArray[np.float32], placement: Placement) -> float:
    """Largest raw value over the cells of a (G, G) grid that hold picture."""
    return float(grid[_cells_inside(len(grid), placement)].max())


def map_inside(grid: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    """A raw (G, G) grid as a map at model size, scaled to [0, 1] over the picture; 0 in the padding.

    Cells that are all padding take no part: the nearest cells that hold picture stand in for them, so that nothing of
    them seeps over the picture's edge while the grid is enlarged.
    """
    top, left, bottom, right = placement.content
    rows, columns = _cells_inside(len(grid), placement)
    around = [(rows.start, len(grid) - rows.stop), (columns.start, len(grid) - columns.stop)]
    enlarged = upsample(np.pad(grid[rows, columns], around, mode="edge"), placement.side)
    scaled = np.zeros_like(enlarged)
    scaled[top:bottom, left:right] = rescale(enlarged[top:bottom, left:right])
    return scaled


def boxes_of(scaled: NDArray[np.float32], placement: Placement, threshold: float) -> tuple[ScoredBox, ...]:
    """The largest region of a scaled map over the threshold as a box in source space; none where nothing is over it."""
    box = largest_box(scaled, threshold)
    if box is None:
        return ()
    inside = scaled[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    edges = placement.box_to_image(box)
    # Whole pixels, outwards: never empty, and still inside the picture, whose own edges are whole.
    whole = Box(math.floor(edges.top), math.floor(edges.left), math.ceil(edges.bottom), math.ceil(edges.right))
    return (ScoredBox(whole, float(inside.mean())),)


def _cells_inside(num_cells: int, placement: Placement) -> tuple[slice, slice]:
    """Rows and columns of a grid of `num_cells` a side that hold picture."""
    top, left, bottom, right = placement.content
    cell = placement.side / num_cells
    rows = slice(math.floor(top / cell), math.ceil(bottom / cell))
    return rows, slice(math.floor(left / cell), math.ceil(right / cell))
