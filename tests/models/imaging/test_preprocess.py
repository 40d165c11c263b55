"""Pixels -> model image."""

import numpy as np
import pytest
from PIL import Image

from models.imaging import phantom
from models.imaging.preprocess import Geometry, InputContract, ModelInput, prepare
from models.imaging.radiograph import ImageFormat, Radiograph

LETTERBOX = InputContract(side=64, padding=7)


class TestPrepare:
    def test_a_letterbox_holds_the_resized_picture_between_its_padding(self):
        pixels = phantom.draw(0, 120, 90)

        made = prepare(pixels, LETTERBOX)

        expected = np.asarray(Image.fromarray(pixels).resize((48, 64), Image.Resampling.BICUBIC))
        assert made.image[:, 8:56].tolist() == expected.tolist()
        assert {7} == set(made.image[:, :8].ravel().tolist()) | set(made.image[:, 56:].ravel().tolist())

    def test_a_centre_crop_equals_resizing_and_then_cutting(self):
        """Only the part shown is computed; rounding between Pillow's two passes may differ by one grey level."""
        pixels = phantom.draw(1, 400, 300)
        resized = np.asarray(Image.fromarray(pixels).resize((256, 341), Image.Resampling.BICUBIC))

        made = prepare(pixels, InputContract(side=224, geometry=Geometry.CENTER_CROP))

        assert np.abs(made.image.astype(int) - resized[58:282, 16:240]).max() <= 1

    def test_a_centre_crop_of_a_long_thin_picture_costs_no_more_than_any_other(self):
        """Resizing a 4 x 1000000 picture as a whole would take 16 GB."""
        made = prepare(np.full((4, 1_000_000), 99, np.uint8), InputContract(224, Geometry.CENTER_CROP))

        assert {99} == set(made.image.ravel().tolist())

    def test_reduction_is_antialiased(self):
        """Columns that alternate black and white average out; sampling would leave stripes."""
        pixels = np.tile(np.array([0, 255], np.uint8), (512, 256))

        made = prepare(pixels, InputContract(side=64))

        assert made.image.std() < 2

    def test_a_radiograph_and_its_pixels_give_the_same(self):
        pixels = phantom.draw(2, 50, 70)

        assert (
            prepare(Radiograph(pixels, ImageFormat.PNG), LETTERBOX).image.tolist()
            == prepare(pixels, LETTERBOX).image.tolist()
        )

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2)])
    @pytest.mark.parametrize("geometry", Geometry)
    def test_any_shape_becomes_a_square(self, shape, geometry):
        assert prepare(np.zeros(shape, np.uint8), InputContract(64, geometry)).image.shape == (64, 64)


class TestInputContract:
    @pytest.mark.parametrize(("side", "resize"), [(224, 256), (112, 128), (448, 448)])
    def test_the_official_crop_takes_seven_eighths_up_to_224_and_all_above(self, side, resize):
        assert InputContract(side, Geometry.CENTER_CROP).place(900, 800).resized[1] == resize

    @pytest.mark.parametrize("arguments", [{"side": 0}, {"side": 8, "padding": 256}])
    def test_nonsense_is_refused_where_it_is_born(self, arguments):
        with pytest.raises(ValueError, match="must be"):
            InputContract(**arguments)


def test_model_input__is_a_square_of_the_placement():
    with pytest.raises(ValueError, match="uint8"):
        ModelInput(np.zeros((64, 63), np.uint8), LETTERBOX.place(10, 10))
