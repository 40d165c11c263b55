"""The grey pipeline: the law of polarity, ranges where the header names none, padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.imaging.grey import GreyPipeline, Rescale
from models.imaging.voi import Lut, VoiFunction, Window

centers = st.integers(-200, 4400)
widths = st.integers(1, 5000)
ALL_12_BIT = np.arange(4096, dtype=np.uint16).reshape(64, 64)


class TestPolarity:
    """MONOCHROME1 of the inverse = MONOCHROME2, bit for bit."""

    @given(center=centers, width=widths, function=st.sampled_from(VoiFunction))
    def test_with_a_mirrored_window(self, center, width, function):
        """LINEAR shows the values c - w/2 to c + w/2 - 1: their mirror is centred at M - c + 1."""
        mirrored = 4095 - center + (1 if function is VoiFunction.LINEAR else 0)

        picture = GreyPipeline(12, voi=Window(center, width, function)).render(ALL_12_BIT)
        twin = GreyPipeline(12, is_inverted=True, voi=Window(mirrored, width, function)).render(4095 - ALL_12_BIT)

        assert picture.tolist() == twin.tolist()

    @given(center=centers, width=st.integers(256, 5000))
    def test_with_a_carelessly_mirrored_window_to_a_grey_level(self, center, width):
        """A twin whose window is moved to M - c is half a unit off on either side."""
        picture = GreyPipeline(12, voi=Window(center, width)).render(ALL_12_BIT)
        twin = GreyPipeline(12, is_inverted=True, voi=Window(4095 - center, width)).render(4095 - ALL_12_BIT)

        assert np.abs(picture.astype(int) - twin).max() <= 1

    @given(seed=st.integers(0, 2**32 - 1), bits=st.integers(2, 16))
    def test_without_a_window(self, seed, bits):
        codes = np.random.default_rng(seed).integers(0, 2**bits, (40, 30)).astype(np.uint16)

        picture = GreyPipeline(bits).render(codes)
        twin = GreyPipeline(bits, is_inverted=True).render(2**bits - 1 - codes)

        assert picture.tolist() == twin.tolist()

    def test_with_a_reversed_lut(self):
        """The twin's table is read from its other end, and says black where this one says white."""
        forward = Lut(0, (np.sqrt(np.linspace(0, 1, 4096)) * 1023).astype(np.uint16), 10)
        backward = Lut(0, 1023 - forward.entries[::-1], 10)

        picture = GreyPipeline(12, voi=forward).render(ALL_12_BIT)
        twin = GreyPipeline(12, is_inverted=True, voi=backward).render(4095 - ALL_12_BIT)

        assert picture.tolist() == twin.tolist()

    @given(center=centers, width=widths)
    def test_the_tag_alone_gives_the_negative(self, center, width):
        picture = GreyPipeline(12, voi=Window(center, width)).render(ALL_12_BIT)
        negative = GreyPipeline(12, is_inverted=True, voi=Window(center, width)).render(ALL_12_BIT)

        assert picture.tolist() == (255 - negative).tolist()


class TestRange:
    def test_eight_bits_without_window_are_shown_as_they_are(self):
        codes = np.arange(256, dtype=np.uint16).reshape(16, 16)

        assert codes.tolist() == GreyPipeline(8).render(codes).tolist()

    def test_a_rescale_of_eight_bits_changes_nothing(self):
        codes = np.arange(256, dtype=np.uint16).reshape(16, 16)

        assert codes.tolist() == GreyPipeline(8, modality=Rescale(3.5, -1000)).render(codes).tolist()

    def test_a_negative_slope_inverts(self):
        codes = np.arange(256, dtype=np.uint16).reshape(16, 16)

        assert (255 - codes).tolist() == GreyPipeline(8, modality=Rescale(-1, 0)).render(codes).tolist()

    def test_more_bits_show_all_but_one_percent_of_the_pixels(self):
        """Ten dead pixels in ten thousand do not set the exposure."""
        codes = np.random.default_rng(0).integers(1000, 2000, (100, 100)).astype(np.uint16)
        codes[0, :5], codes[0, 5:10] = 0, 4095

        grey = GreyPipeline(12).render(codes)[1:]

        assert grey[codes[1:] < 1002].max() < 3
        assert grey[codes[1:] > 1997].min() > 252

    @pytest.mark.parametrize(("num_dead", "shown"), [(50, {0, 255}), (51, {51, 204})])
    def test_half_a_percent_at_either_end_is_ignored_and_no_more(self, num_dead, shown):
        """A fifth and four fifths of the way to 4095: at the ends once the dead pixels beyond them do not count."""
        codes = np.repeat(np.array([819, 3276], np.uint16), 5000).reshape(100, 100)
        codes[0, :num_dead], codes[-1, :num_dead] = 0, 4095

        grey = GreyPipeline(12).render(codes)

        assert shown == set(grey[1:-1].ravel().tolist())

    def test_a_picture_of_two_values_keeps_its_contrast(self):
        """Both percentiles fall on the same value; the range is then the full one."""
        codes = np.full((100, 100), 500, np.uint16)
        codes[0, 0] = 900

        assert {0, 255} == set(GreyPipeline(12).render(codes).ravel().tolist())

    @pytest.mark.parametrize("is_inverted", [False, True])
    def test_a_flat_picture_is_black(self, is_inverted):
        grey = GreyPipeline(12, is_inverted=is_inverted).render(np.full((9, 9), 77, np.uint16))

        assert {0} == set(grey.ravel().tolist())


class TestPadding:
    @pytest.mark.parametrize("is_inverted", [False, True])
    def test_padding_is_black_whatever_the_polarity_and_sets_no_range(self, is_inverted):
        codes = np.random.default_rng(0).integers(1000, 2000, (50, 50)).astype(np.uint16)
        codes[:, :20] = 4000

        grey = GreyPipeline(12, is_inverted=is_inverted, padding=(3990, 4010)).render(codes)

        assert {0} == set(grey[:, :20].ravel().tolist())
        assert grey[:, 20:].max() > 250

    def test_nothing_but_padding_is_black(self):
        assert GreyPipeline(12, padding=(5, 5)).render(np.full((4, 4), 5, np.uint16)).max() == 0
