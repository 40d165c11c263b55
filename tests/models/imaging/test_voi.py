"""Windows and look-up tables: the Standard's formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imaging.grey import GreyPipeline
from models.imaging.voi import Lut, Range, VoiFunction, Window, to_grey

centers = st.integers(-200, 4400)
widths = st.integers(1, 5000)
ALL_12_BIT = np.arange(4096, dtype=np.uint16).reshape(64, 64)


class TestWindow:
    @given(center=centers, width=st.integers(2, 5000))
    def test_linear_is_the_formula_of_the_standard(self, center, width):
        """PS3.3, C.11.2.1.2.1, literally, to the rounding."""
        x = np.arange(4096.0)
        y = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
        y[x <= center - 0.5 - (width - 1) / 2] = 0
        y[x > center - 0.5 + (width - 1) / 2] = 255

        grey = GreyPipeline(12, voi=Window(center, width)).render(ALL_12_BIT)

        assert np.abs(grey.ravel() - y).max() <= 0.5 + 1e-9

    @given(center=centers, width=widths)
    def test_linear_exact_is_the_formula_of_the_standard(self, center, width):
        x = np.arange(4096.0)
        y = np.clip(((x - center) / width + 0.5) * 255, 0, 255)

        grey = GreyPipeline(12, voi=Window(center, width, VoiFunction.LINEAR_EXACT)).render(ALL_12_BIT)

        assert np.abs(grey.ravel() - y).max() <= 0.5 + 1e-9

    @given(center=centers, width=widths)
    def test_sigmoid_is_the_formula_of_the_standard(self, center, width):
        x = np.arange(4096.0)
        y = 255 / (1 + np.exp(np.clip(-4 * (x - center) / width, -700, 700)))

        grey = GreyPipeline(12, voi=Window(center, width, VoiFunction.SIGMOID)).render(ALL_12_BIT)

        assert np.abs(grey.ravel() - y).max() <= 0.5 + 1e-9

    def test_values_outside_clip(self):
        grey = GreyPipeline(12, voi=Window(2000, 100)).render(ALL_12_BIT).ravel()

        assert {0} == set(grey[:1950].tolist())
        assert {255} == set(grey[2050:].tolist())

    def test_a_width_of_one_is_a_threshold(self):
        grey = GreyPipeline(12, voi=Window(100, 1)).render(ALL_12_BIT).ravel()

        assert (99, 100) == (int(np.flatnonzero(grey == 0)[-1]), int(np.flatnonzero(grey == 255)[0]))

    @pytest.mark.parametrize(
        ("width", "function"),
        [
            (0, VoiFunction.LINEAR),
            (0.5, VoiFunction.LINEAR),
            (0, VoiFunction.SIGMOID),
            (float("nan"), VoiFunction.LINEAR),
        ],
    )
    def test_a_width_without_sense_is_refused(self, width, function):
        with pytest.raises(ValueError, match="width"):
            Window(100, width, function)


class TestLut:
    def test_inputs_outside_take_the_first_and_last_entry(self):
        lut = Lut(100, np.array([10, 20, 30], np.uint16), 8)

        assert [10, 10, 20, 30, 30] == lut(np.array([-5.0, 100, 101, 102, 9999])).tolist()

    def test_signed_values_are_looked_up_by_value(self):
        codes = np.array([[0xFFF, 0x000]], np.uint16)  # -1 and 0 in 12 bits

        grey = GreyPipeline(12, is_signed=True, voi=Lut(-1, np.array([255, 0], np.uint16), 8)).render(codes)

        assert [[255, 0]] == grey.tolist()


@given(levels=st.lists(st.floats(-200, 200).filter(bool), min_size=1))
def test_to_grey__a_change_of_sign_is_the_negative(levels):
    values = np.array(levels)

    assert to_grey(values).tolist() == (255 - to_grey(-values)).tolist()


def test_range__without_contrast_is_black():
    assert [0, 0] == to_grey(Range(5, 5).levels(np.array([5.0, 6.0]))).tolist()
