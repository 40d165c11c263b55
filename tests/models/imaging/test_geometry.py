"""Letterbox and centre crop: laws, attacked by Hypothesis."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imaging.geometry import Box, CenterCrop, Letterbox, Placement

sizes = st.integers(1, 10_000)
unit = st.floats(0, 1)
aspects = st.one_of(st.just(1.0), st.floats(1 / 8, 8))
placements = st.one_of(
    st.builds(Letterbox, sizes, sizes, st.integers(1, 1024), aspect=aspects),
    st.builds(CenterCrop, sizes, sizes, st.just(224), st.integers(224, 512), aspect=aspects),
)


@given(placement=placements, y=unit, x=unit)
def test_a_point_survives_the_trip_into_model_space_and_back(placement: Placement, y: float, x: float):
    point = y * placement.height, x * placement.width

    there = placement.to_model(*point)

    assert point == pytest.approx(placement.to_image(*there), abs=1e-6 * max(placement.height, placement.width))


@given(placement=placements, edges=st.tuples(unit, unit, unit, unit))
def test_a_box_comes_back_inside_the_image(placement: Placement, edges: tuple[float, float, float, float]):
    top, bottom = sorted(edges[:2])
    left, right = sorted(edges[2:])
    side = placement.side

    box = placement.box_to_image(Box(top * side, left * side, bottom * side, right * side))

    assert 0 <= box.top <= box.bottom <= placement.height
    assert 0 <= box.left <= box.right <= placement.width


@given(placement=placements, edges=st.tuples(unit, unit, unit, unit))
def test_a_box_survives_the_trip_into_model_space_and_back(placement: Placement, edges: tuple[float, ...]):
    (top, bottom), (left, right) = (sorted(pair) for pair in (edges[:2], edges[2:]))
    height, width = placement.height, placement.width
    box = Box(top * height, left * width, bottom * height, right * width)

    again = placement.box_to_image(placement.box_to_model(box))

    assert astuple(again) == pytest.approx(astuple(box), abs=1e-6 * max(height, width))


@given(placement=placements)
def test_content_lies_in_the_square_and_is_never_empty(placement: Placement):
    top, left, bottom, right = placement.content

    assert 0 <= top < bottom <= placement.side
    assert 0 <= left < right <= placement.side


@given(height=sizes, width=sizes, side=st.integers(1, 1024))
def test_letterbox__shows_the_whole_picture_on_its_longest_side(height: int, width: int, side: int):
    placement = Letterbox(height, width, side)

    assert side == max(placement.resized)
    assert placement.box_to_image(Box(*placement.content)) == Box(0, 0, height, width)


@given(height=sizes, width=sizes, side=st.integers(64, 1024))
def test_letterbox__keeps_the_aspect_to_half_a_pixel(height: int, width: int, side: int):
    rows, columns = Letterbox(height, width, side).resized
    scale = side / max(height, width)

    assert rows == pytest.approx(max(height * scale, 1), abs=0.51)
    assert columns == pytest.approx(max(width * scale, 1), abs=0.51)


def test_letterbox__stretches_pixels_that_are_no_squares_to_what_they_show():
    """100 rows of pixels twice as high as wide are as tall as 200."""
    stretched, square = Letterbox(100, 160, 224, aspect=2.0), Letterbox(200, 160, 224)

    assert square.resized == stretched.resized == (224, 179)
    assert Box(0, 0, 100, 160) == stretched.box_to_image(Box(*stretched.content))
    assert stretched.to_model(50, 80) == square.to_model(100, 80)


@pytest.mark.parametrize("aspect", [0.0, -1.0, 100.0, float("nan"), float("inf")])
def test_placement__refuses_pixels_of_no_sensible_shape(aspect):
    with pytest.raises(ValueError, match="as high as wide"):
        Letterbox(100, 100, 224, aspect=aspect)


@given(height=sizes, width=sizes, side=st.integers(1, 1024))
def test_letterbox__is_centred_to_a_pixel(height: int, width: int, side: int):
    top, left, bottom, right = Letterbox(height, width, side).content

    assert abs(top - (side - bottom)) <= 1
    assert abs(left - (side - right)) <= 1


@pytest.mark.parametrize(("height", "width", "content"), [(100, 51, (0, 24, 100, 75)), (51, 100, (24, 0, 75, 100))])
def test_letterbox__puts_the_odd_line_of_padding_below_or_to_the_right(height, width, content):
    """A bundle moved by a pixel would see other pictures than it learned from."""
    assert content == Letterbox(height, width, 100).content


def test_center_crop__of_a_chest_radiograph_is_the_official_one():
    """Resize(256) makes 3056 x 2544 into 307 x 256; CenterCrop(224) cuts rows 42..265 and columns 16..239."""
    crop = CenterCrop(3056, 2544, 224)

    assert crop.resized == (307, 256)
    assert crop.offset == (-42, -16)
    assert crop.content == (0, 0, 224, 224)


def test_center_crop__needs_a_shorter_side_that_fills_the_square():
    with pytest.raises(ValueError, match="does not fit"):
        CenterCrop(100, 100, 224, 200)


def test_box__edges_must_be_in_order():
    with pytest.raises(ValueError, match="out of order"):
        Box(3, 0, 2, 1)


def test_sizes_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        Letterbox(0, 10, 224)


def test_box__in_the_padding_becomes_empty():
    assert Letterbox(100, 50, 224).box_to_image(Box(0, 0, 224, 10)).area == 0
