"""A map, boxes and captions over a picture: what is cold shows it, and nothing lies on anything else."""

import numpy as np
import pytest

from models.imaging.geometry import Box
from models.imaging.overlay import overlay, overlay_strips
from models.labels import CHESTXRAY14


def spot(box, side):
    """1 in a box, 0 elsewhere."""
    top, left, bottom, right = box
    values = np.zeros((side, side), np.float32)
    values[top:bottom, left:right] = 1
    return values


class TestOverlay:
    def test_cold_spots_show_the_picture_unchanged(self):
        pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)

        made = overlay(pixels, np.zeros((16, 16)))

        assert np.repeat(pixels[..., None], 3, axis=2).tolist() == made.tolist()

    def test_hot_spots_are_coloured_and_boxes_drawn(self):
        pixels = np.full((300, 300), 100, np.uint8)

        made = overlay(pixels, spot((0, 0, 50, 50), 300), [Box(100, 100, 200, 200)], ["Mass 0.71"])

        assert made[25, 25, 0] > made[25, 25, 2] + 50
        assert made[100, 150].tolist() == made[199, 150].tolist() != [100, 100, 100]
        assert made[200, 150].tolist() == [100, 100, 100]
        assert (made[85:100, 100:200] != 100).any()

    def test_captions_must_match_boxes(self):
        with pytest.raises(ValueError, match="captions"):
            overlay(np.zeros((9, 9), np.uint8), np.zeros((9, 9)), [], ["Mass"])

    def test_captions_of_boxes_that_begin_together_stand_apart(self):
        """Each in full: the rows that they take are disjoint, and as many as for either alone."""
        pixels, cold = np.full((300, 300), 100, np.uint8), np.zeros((300, 300))
        boxes = [Box(100, 50, 280, 280), Box(102, 52, 270, 270), Box(104, 54, 260, 260)]
        frame = overlay(pixels, cold, boxes)
        alone = [
            (overlay(pixels, cold, boxes, [text if index == place else "" for index in range(3)]) != frame).any(axis=2)
            for place, text in enumerate(("Mass 0.71", "Nodule 0.52", "Fibrosis 0.33"))
        ]
        together = (overlay(pixels, cold, boxes, ["Mass 0.71", "Nodule 0.52", "Fibrosis 0.33"]) != frame).any(axis=2)

        assert (alone[0] & alone[1]).any()  # by themselves they would lie on one another
        assert together.sum() == pytest.approx(sum(one.sum() for one in alone), rel=0.15)

    def test_a_caption_without_room_below_stays(self):
        """A picture full of them is drawn all the same."""
        pixels = np.full((40, 60), 100, np.uint8)
        boxes = [Box(20, 5, 38, 50)] * 6

        made = overlay(pixels, np.zeros((40, 60)), boxes, ["Mass 0.71"] * 6)

        assert made.shape == (40, 60, 3)

    def test_each_box_has_a_colour_and_its_caption_the_same(self):
        """As many as there are findings, which `saliency=heatmaps` draws all."""
        boxes = [Box(50, 50 * place, 90, 50 * place + 40) for place in range(len(CHESTXRAY14))]
        pixels, cold = np.full((300, 700), 100, np.uint8), np.zeros((300, 700))

        made = overlay(pixels, cold, boxes, ["Mass"] * len(boxes))

        colours = [tuple(made[89, int(box.left) + 20]) for box in boxes]
        assert len(boxes) == len(set(colours))
        for box, colour in zip(boxes, colours, strict=True):
            above = made[30:50, int(box.left) : int(box.left) + 40]
            assert (above == colour).all(axis=2).any()

    def test_a_note_stands_at_the_bottom_whatever_the_strips(self):
        """And nowhere else; without one, nothing changes."""
        pixels, cold = np.full((300, 300), 100, np.uint8), np.zeros((300, 300))

        def drawn(note, rows):
            strips = [cold[start : start + rows] for start in range(0, 300, rows)]
            return np.concatenate([*overlay_strips(pixels, strips, note=note)])

        noted = drawn("gate: suspicious (inverted)", 300)

        assert overlay(pixels, cold).tolist() == drawn("", 300).tolist()
        assert (noted[280:] == 255).all(axis=2).any()
        assert (noted[:270] == 100).all()
        assert noted.tolist() == drawn("gate: suspicious (inverted)", 7).tolist()

    @pytest.mark.parametrize("rows", [1, 7, 64])
    def test_a_strip_at_a_time_it_is_the_same_picture(self, rows):
        """Boxes and captions that lie across a seam, too."""
        pixels = np.random.default_rng(0).integers(0, 256, (150, 200), np.uint8)
        values = np.linspace(0, 1, pixels.size, dtype=np.float32).reshape(pixels.shape)
        boxes, captions = [Box(20, 10, 120, 90), Box(60, 50, 149.5, 199.5)], ["Mass 0.71", "Nodule 0.52"]

        strips = [values[start : start + rows] for start in range(0, len(values), rows)]
        made = np.concatenate([*overlay_strips(pixels, strips, boxes, captions)])

        assert overlay(pixels, values, boxes, captions).tolist() == made.tolist()
