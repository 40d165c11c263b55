"""Where words stand on a picture."""

import numpy as np
import pytest

from models.imaging.captions import Lettering, caption_places, note_place, noted_strips
from models.imaging.geometry import Box

SIZE = (400, 400)
LETTERING = Lettering.of(*SIZE)


def places(boxes, taken=()):
    return caption_places(["Mass 0.71"] * len(boxes), boxes, SIZE, LETTERING, taken)


class TestCaptionPlaces:
    def test_they_are_tried_above_inside_below_and_inside_the_bottom(self):
        """Then down the side; none lies on another."""
        box = Box(100, 50, 200, 150)
        found = places([box] * 5)
        tops = [place.top for place in found]

        assert found[0].bottom == box.top
        assert box.top < tops[1] < found[1].bottom < box.bottom
        assert box.bottom < tops[2]
        assert found[3].bottom == box.bottom
        assert found[1].bottom == tops[4]

    def test_below_a_box_at_the_top_rather_than_far_from_it(self):
        """A caption that stands in another finding's box names that one to whoever reads it."""
        low = Box(0, 0, 100, 100)
        taken = [Box(0, 0, 40, 200), Box(40, 0, 100, 200), Box(120, 0, 150, 200)]

        (place,) = places([low], taken)

        assert 100 < place.top < 105

    def test_only_on_the_picture(self):
        """Where the box is all of it, inside."""
        found = places([Box(0, 0, 400, 400)] * 2)

        assert all(0 <= place.top < place.bottom <= 400 for place in found)

    def test_clear_of_a_note(self):
        """Which has the bottom line."""
        note = note_place("gate: suspicious (inverted)", *SIZE)
        (place,) = places([Box(note.top, 0, 400, 100)], [note])

        assert place.bottom <= note.top


@pytest.mark.parametrize("size", [(30, 60), (400, 60), (9, 9)])
def test_noted_strips__a_note_fits_the_picture(size):
    """However narrow; the first column and the last stay free of letters."""
    height, width = size
    (made,) = noted_strips([np.full((*size, 3), 100, np.uint8)], height, width, "gate: suspicious (upside-down)")

    assert (*size, 3) == made.shape
    assert not (made[:, -1] == 255).all(axis=1).any()
