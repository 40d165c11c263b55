"""From raw maps at model size to what may be said about the picture: no padding in them, boxes in source space."""

import math

import numpy as np
from numpy.typing import NDArray

from models.imaging.geometry import Box, Placement
from models.imaging.heatmap import cells_inside, largest_box, mean_inside
from service.inference.answers import ScoredBox


def maximum_inside(grid: NDArray[np.float32], placement: Placement) -> float:
    """Largest raw value over the cells of a (G, G) grid that hold picture."""
    return float(grid[cells_inside(len(grid), placement)].max())


def boxes_of(scaled: NDArray[np.float32], placement: Placement, threshold: float) -> tuple[ScoredBox, ...]:
    """The largest region of a scaled map over the threshold as a box in source space; none where nothing is over it."""
    box = largest_box(scaled, threshold)
    if box is None:
        return ()
    edges = placement.box_to_image(box)
    # Whole pixels, outwards: never empty, and still inside the picture, whose own edges are whole.
    whole = Box(math.floor(edges.top), math.floor(edges.left), math.ceil(edges.bottom), math.ceil(edges.right))
    return (ScoredBox(whole, mean_inside(scaled, box)),)
