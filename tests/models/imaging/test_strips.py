"""Large pictures a strip at a time: no row twice, none left out, and a PNG as any other."""

from io import BytesIO

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.imaging.strips import png_of_strips, row_strips


@given(height=st.integers(1, 10_000), width=st.integers(1, 10_000_000))
def test_row_strips__are_a_partition_and_small(height, width):
    """Of a mebipixel at the most, but where a row is longer."""
    strips = list(row_strips(height, width))

    assert [0, *(strip.stop for strip in strips)] == [*(strip.start for strip in strips), height]
    assert all(strip.stop - strip.start == 1 or (strip.stop - strip.start) * width <= 2**20 for strip in strips)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    step=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_png_of_strips__holds_the_picture(shape, step, seed):
    """However it is cut."""
    picture = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    strips = (picture[start : start + step] for start in range(0, len(picture), step))

    with Image.open(BytesIO(png_of_strips(strips, *shape))) as image:
        assert ("PNG", "RGB") == (image.format, image.mode)
        assert picture.tolist() == np.asarray(image).tolist()


def test_png_of_strips__writes_notes_as_text_chunks():
    """Before the pixels, so that whoever opens the file has them; none are written unasked."""
    strip = np.zeros((4, 5, 3), np.uint8)

    with Image.open(BytesIO(png_of_strips([strip], 4, 5, {"Gate": "accepted", "Bundle": "naïve 1.0"}))) as image:
        assert {"Gate": "accepted", "Bundle": "naïve 1.0"} == image.info
    assert b"tEXt" not in png_of_strips([strip], 4, 5)
