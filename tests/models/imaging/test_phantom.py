"""The drawn chest."""

import numpy as np
import pytest

from models.imaging.gate import Verdict, check
from models.imaging.phantom import draw


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others():
    assert np.array_equal(draw(3, 64, 50), draw(3, 64, 50))
    assert not np.array_equal(draw(3, 64, 50), draw(4, 64, 50))


@pytest.mark.parametrize("shape", [(128, 105), (105, 128), (97, 81)])
def test_it_has_the_size_asked_for_and_uses_the_grey_scale(shape):
    pixels = draw(0, *shape)

    assert shape == pixels.shape
    assert pixels.max() - pixels.min() > 200


@pytest.mark.parametrize("seed", range(5))
def test_the_gate_takes_it_for_a_chest(seed):
    assert Verdict.ACCEPTED is check(None, draw(seed, 128, 105)).verdict
