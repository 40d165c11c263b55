"""Changes that mean nothing, seen in what they do to drawn spots."""

import math

import pytest
import torch

from training.data.jitter import jitter

SIDE_PX = 96
PLACES_PX = ((47.5, 47.5), (47.5, 67.5), (67.5, 47.5))  # row, column: the middle, to its right, below it


def changed(images: torch.Tensor, seed: int) -> torch.Tensor:
    return jitter(images, torch.Generator().manual_seed(seed))


def spot(row: float, column: float) -> torch.Tensor:
    """(1, 1, S, S), a soft spot on black."""
    rows, columns = torch.meshgrid(torch.arange(SIDE_PX), torch.arange(SIDE_PX), indexing="ij")
    return 200 * torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 18)[None, None]


def centre_of(image: torch.Tensor) -> complex:
    """Where a spot went: columns to the right, rows downwards as the imaginary part."""
    weight = (image[0, 0] - image.median() - 20).clamp(min=0)  # what brightness added is the same everywhere
    places = torch.arange(SIDE_PX)
    return complex((weight.sum(0) * places).sum() / weight.sum(), (weight.sum(1) * places).sum() / weight.sum())


def test_jitter__cuts_closer_and_turns_but_does_not_distort():
    """At least 80 % of the area, at most 3 degrees; rows and columns stay at right angles and of one scale."""
    scales, degrees = [], []
    for seed in range(200):
        middle, right, below = (centre_of(changed(spot(*place), seed)) for place in PLACES_PX)
        across, down = (right - middle) / 20, (below - middle) / 20
        assert abs(down - 1j * across) < 0.01
        scales.append(abs(across))
        degrees.append(math.degrees(math.atan2(across.imag, across.real)))

    assert [1, 0.8**-0.5] == pytest.approx([min(scales), max(scales)], abs=0.01)
    assert [-3, 3] == pytest.approx([min(degrees), max(degrees)], abs=0.2)


def test_jitter__changes_contrast_and_brightness_by_a_tenth_at_most():
    """Of a grey of 100: by 10 levels, and by 25.5; each picture by draws of its own."""
    levels = changed(torch.full((2000, 1, 8, 8), 100.0), 0)[:, 0, 4, 4]

    assert [90 - 25.5, 110 + 25.5] == pytest.approx([levels.min().item(), levels.max().item()], abs=2)
    assert 100 == pytest.approx(levels.mean().item(), abs=1)


@pytest.mark.parametrize("level", [0.0, 255.0])
def test_jitter__stays_within_the_levels_of_a_picture(level):
    """Black and white cannot become darker or brighter."""
    images = changed(torch.full((50, 1, 8, 8), level), 0)

    assert 0 <= images.min() <= images.max() <= 255


def test_jitter__brings_in_black_from_outside():
    """At corners, where a picture was turned; brightness alone may lighten it."""
    corners = changed(torch.full((200, 1, SIDE_PX, SIDE_PX), 200.0), 0)[:, 0, 0, 0]

    assert corners.min() <= 25.5


def test_jitter__follows_from_the_generator():
    """Folds share the features of changed pictures."""
    images = spot(*PLACES_PX[1]).repeat(3, 1, 1, 1)

    assert torch.equal(changed(images, 1), changed(images, 1))
    assert not torch.equal(changed(images, 1), changed(images, 2))
