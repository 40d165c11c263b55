"""Small changes of a picture, each of known size."""

import numpy as np
import pytest

from models.imaging.phantom import draw
from training.evaluation.perturbations import PERTURBATIONS, crop, rewindow, rotate, through_jpeg, through_png


@pytest.fixture(name="pixels", scope="module")
def _pixels():
    return draw(0, 192, 160)


def test_png_keeps_every_pixel(pixels):
    """What is called lossless is."""
    assert np.array_equal(pixels, through_png(pixels))
    assert ["PNG"] == [one.name for one in PERTURBATIONS if one.is_lossless]


def test_jpeg_moves_pixels_the_more_the_lower_its_quality(pixels):
    """And keeps their place."""
    errors = [np.abs(through_jpeg(pixels, quality).astype(int) - pixels).mean() for quality in (90, 75)]

    assert 0 < errors[0] < errors[1] < 5


def test_a_turn_moves_what_is_away_from_the_centre_by_its_angle():
    """A point 100 pixels right of the centre goes up by 100 * sin(3 degrees) under a counter-clockwise turn."""
    pixels = np.zeros((301, 301), np.uint8)
    pixels[148:153, 248:253] = 255

    rows, columns = np.nonzero(rotate(pixels, 3) > 127)

    assert (150 - 100 * np.sin(np.deg2rad(3)), 150 + 100 * np.cos(np.deg2rad(3))) == pytest.approx(
        (rows.mean(), columns.mean()), abs=0.5
    )


def test_a_turn_brings_no_new_edge_into_the_frame():
    """White stays white up to the corners."""
    assert 255 == rotate(np.full((90, 70), 255, np.uint8), -1).min()


def test_turning_back_and_forth_gives_nearly_the_same_picture(pixels):
    """Two bicubic resamplings of a picture with grain."""
    there_and_back = rotate(rotate(pixels, 1), -1).astype(int)

    assert 4 > np.abs(there_and_back - pixels)[10:-10, 10:-10].mean()


def test_cropping_takes_its_share_from_each_side():
    """Of the height at top and bottom, of the width at left and right."""
    pixels = np.arange(200 * 100, dtype=np.uint32).reshape(200, 100).astype(np.uint8)

    assert np.array_equal(pixels[4:196, 2:98], crop(pixels, 0.02))


def test_a_window_is_moved_about_middle_grey():
    """Contrast turns about the middle, brightness shifts all; both stop at black and white."""
    levels = np.array([[0, 127, 128, 255]], np.uint8)

    assert [[0, 127, 128, 255]] == rewindow(levels, 1.05, 0).tolist()
    assert [[6, 127, 128, 249]] == rewindow(levels, 0.95, 0).tolist()
    assert [[13, 140, 141, 255]] == rewindow(levels, 1, 0.05).tolist()


def test_every_change_leaves_a_radiograph(pixels):
    """Pixels of the right kind, none lost but by cropping, each list entry under its own name."""
    changed = [one.apply(pixels) for one in PERTURBATIONS]

    assert {np.dtype(np.uint8)} == {one.dtype for one in changed}
    assert len(PERTURBATIONS) == len({one.name for one in PERTURBATIONS})
    assert len(PERTURBATIONS) - 1 == sum(not np.array_equal(pixels, one) for one in changed)
