"""Maps and boxes: padding takes no part, and boxes come back to the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imaging.geometry import CenterCrop, Letterbox
from models.imaging.heatmap import saliency_map
from service.inference.maps import boxes_of, maximum_inside

SIDE, CELLS = 32, 8
sizes = st.integers(1, 400)
grids = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((CELLS, CELLS), np.float32))


def inside(placement):
    """True where a map holds picture, and which cells lie in the padding altogether."""
    top, left, bottom, right = placement.content
    pixels = np.zeros((SIDE, SIDE), bool)
    pixels[top:bottom, left:right] = True
    cell = SIDE // CELLS
    return pixels, ~pixels.reshape(CELLS, cell, CELLS, cell).any(axis=(1, 3))


@given(sizes, sizes, grids)
def test_map_inside__ignores_what_lies_in_the_padding(height, width, grid):
    """Whatever the model saw there: same map over the picture, zero outside, same raw maximum."""
    placement = Letterbox(height, width, SIDE)
    pixels, padding = inside(placement)
    hot = np.where(padding, np.float32(1e6), grid)

    scaled = saliency_map(grid, placement)

    assert np.array_equal(scaled, saliency_map(hot, placement))
    assert maximum_inside(grid, placement) == maximum_inside(hot, placement)
    assert 0 == scaled[~pixels].sum()
    assert 0 <= scaled.min() <= scaled.max() <= 1


@given(sizes, sizes, grids, st.booleans())
def test_boxes_of__are_whole_pixels_inside_the_picture(height, width, grid, crop):
    """Half-open, not empty, under either geometry."""
    placement = CenterCrop(height, width, SIDE, SIDE + 4) if crop else Letterbox(height, width, SIDE)

    for scored in boxes_of(saliency_map(grid, placement), placement, 0.5):
        box = scored.box
        assert 0 <= box.top < box.bottom <= height
        assert 0 <= box.left < box.right <= width
        assert all(float(edge).is_integer() for edge in (box.top, box.left, box.bottom, box.right))
        assert 0 < scored.score <= 1


def test_boxes_of__finds_the_hot_quarter():
    """In a picture twice as tall as wide: its lower right quarter."""
    placement = Letterbox(640, 320, SIDE)
    grid = np.zeros((CELLS, CELLS), np.float32)
    grid[4:, 4:6] = 1

    (scored,) = boxes_of(saliency_map(grid, placement), placement, 0.5)

    assert (320, 160, 640, 320) == pytest.approx(
        (scored.box.top, scored.box.left, scored.box.bottom, scored.box.right), abs=40
    )


def test_boxes_of__a_map_without_evidence_has_none():
    """Zero everywhere stays zero; scaling must not make something of it."""
    placement = Letterbox(64, 64, SIDE)
    scaled = saliency_map(np.zeros((CELLS, CELLS), np.float32), placement)

    assert 0 == scaled.max()
    assert () == boxes_of(scaled, placement, 0.5)


def test_maximum_inside__of_a_square_picture_is_that_of_the_grid():
    """Exactly: clients compare it with the graph's output."""
    grid = np.random.default_rng(0).random((CELLS, CELLS), np.float32)

    assert float(grid.max()) == maximum_inside(grid, Letterbox(500, 500, SIDE))
