"""Maps: scaling, boxes, colours, and the way back to source space."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.imaging.geometry import Box, CenterCrop, Letterbox
from models.imaging.heatmap import (
    colourise,
    largest_box,
    mean_inside,
    min_max,
    png_bytes,
    saliency_map,
    source_strips,
    upsample,
)


def spot(box: tuple[int, int, int, int], side: int = 32, value: float = 1.0) -> np.ndarray:
    values = np.zeros((side, side), np.float32)
    values[box[0] : box[2], box[1] : box[3]] = value
    return values


class TestRescale:
    def test_it_is_min_max(self):
        assert [[0.0, 0.5], [0.75, 1.0]] == min_max(np.array([[2.0, 4.0], [5.0, 6.0]])).tolist()

    @pytest.mark.parametrize("value", [0.0, 3.0])
    def test_a_flat_map_becomes_zeros(self, value):
        assert min_max(np.full((4, 4), value)).max() == 0


class TestLargestBox:
    def test_it_encloses_the_largest_region_half_open(self):
        values = np.maximum(spot((2, 3, 10, 12)), spot((20, 20, 23, 23)))

        assert Box(2, 3, 10, 12) == largest_box(values, 0.5)

    def test_regions_that_touch_at_a_corner_are_one(self):
        assert Box(0, 0, 8, 8) == largest_box(np.maximum(spot((0, 0, 4, 4)), spot((4, 4, 8, 8))), 0.5)

    def test_without_a_region_there_is_no_box(self):
        assert largest_box(spot((0, 0, 4, 4), value=0.5), 0.5) is None

    def test_its_score_is_the_mean_inside(self):
        assert mean_inside(spot((0, 0, 2, 4)), Box(0, 0, 4, 4)) == 0.5


class TestSaliencyMap:
    def test_padding_is_zero_and_sets_no_maximum(self):
        """The hottest cell lies in the padding; the picture's own maximum becomes 1."""
        grid = np.full((14, 14), 0.2)
        grid[0, 0], grid[7, 7] = 9.0, 1.0
        placement = Letterbox(200, 100, 224)

        made = saliency_map(grid, placement)

        _, left, _, right = placement.content
        assert made[:, :left].max() == made[:, right:].max() == 0
        assert made.max() == 1
        assert made[112:128, 112:128].max() == 1

    @pytest.mark.parametrize(
        ("width", "cells", "column", "seen"),
        [
            # Columns 48 to 63, of which 61 is the first of the picture: the peak is outside, its edge is the maximum.
            (90, 14, 3, slice(61, 62)),
            # Columns 56 to 83: beside them lie cells that are all padding, and nothing of their 0 seeps in.
            (100, 8, 2, slice(56, 70)),
        ],
    )
    def test_a_hot_cell_at_the_picture_s_edge_is_one_up_to_it(self, width, cells, column, seen):
        """Wherever its middle lies."""
        placement = Letterbox(200, width, 224)
        grid = np.zeros((cells, cells))
        grid[:, column] = 1.0

        made = saliency_map(grid, placement)

        assert seen.start == placement.content[1]
        assert {1.0} == set(made[:, seen].ravel().tolist())

    def test_a_map_without_evidence_has_no_box(self):
        assert largest_box(saliency_map(np.zeros((14, 14)), Letterbox(10, 10, 224)), 0.5) is None


def test_upsample__keeps_cell_centres_and_range():
    grid = np.arange(9.0).reshape(3, 3)

    made = upsample(grid, 9)

    assert np.allclose(grid, made[1::3, 1::3])
    assert (0.0, 8.0) == (made.min(), made.max())


def to_source(*arguments, **options) -> np.ndarray:
    return np.concatenate([*source_strips(*arguments, **options)])


class TestSourceStrips:
    def test_a_large_picture_comes_back_as_a_small_one_does(self):
        """In several strips, whose seams do not show: along a slope each row is as far from the next."""
        values = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[:, None], 64, axis=1)

        strips = list(source_strips(values, Letterbox(4096, 1024, 64)))
        steps = np.diff(np.concatenate(strips)[64:-64, 512])

        assert len(strips) > 3
        assert 1 / 63 / 64 == pytest.approx(steps.min(), rel=0.01) == pytest.approx(steps.max(), rel=0.01)

    @given(height=st.integers(1, 200), width=st.integers(1, 200))
    def test_a_flat_content_stays_flat_whatever_the_padding_holds(self, height, width):
        placement = Letterbox(height, width, 64)
        values = np.full((64, 64), 7.0, np.float32)
        top, left, bottom, right = placement.content
        values[top:bottom, left:right] = 1.0

        assert {1.0} == set(to_source(values, placement).ravel().tolist())

    def test_a_spot_comes_back_to_its_place(self):
        placement = Letterbox(640, 320, 64)
        values = np.zeros((64, 64), np.float32)
        values[30:34, 30:34] = 1.0

        box = largest_box(to_source(values, placement), 0.5)

        expected = placement.box_to_image(Box(30, 30, 34, 34))
        assert (box.top, box.left) == pytest.approx((expected.top, expected.left), abs=5)
        assert (box.bottom, box.right) == pytest.approx((expected.bottom, expected.right), abs=5)

    def test_what_a_crop_cut_off_is_filled(self):
        crop = CenterCrop(400, 200, 224)

        made = to_source(np.ones((224, 224), np.float32), crop, fill=-1)

        shown = crop.box_to_image(Box(0, 0, 224, 224))
        assert {-1.0} == set(made[: int(shown.top)].ravel().tolist())
        assert {1.0} == set(made[int(shown.top) + 1 : int(shown.bottom) - 1, 14:186].ravel().tolist())


def test_colourise__is_brighter_where_it_is_hotter():
    colours = colourise(np.linspace(0, 1, 256)[None])[0].astype(int)

    assert (np.diff(colours @ [299, 587, 114]) >= -1000).all()
    assert colours[0].sum() < 20
    assert colours[-1].sum() > 600


def test_colourise__takes_nan_for_cold():
    assert colourise(np.array([[np.nan]])).tolist() == colourise(np.array([[0.0]])).tolist()


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_png_bytes__holds_the_array(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)

    with Image.open(BytesIO(png_bytes(array))) as image:
        assert array.tolist() == np.asarray(image).tolist()
