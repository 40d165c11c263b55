"""Reading DICOM: bits, signs, look-up tables, windows, colours, polarity."""

from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, dcmread, uid

from models.errors import UndecodableImageError
from models.imaging.decode import decode
from tests.dicom_samples import chest, compressed, dataset, framed, plain, written

SYNTAXES = [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless]
SMALL = np.arange(256, dtype=np.uint16).reshape(16, 16)


def item(first: int, entries: list[int], bits: int) -> Dataset:
    made = Dataset()
    made.LUTDescriptor = [len(entries), first, bits]
    made["LUTDescriptor"].VR = "US"
    made.LUTData = entries
    made["LUTData"].VR = "US"
    return made


def palette(descriptor: list[int], entries: bytes) -> dict[str, Any]:
    """Attributes of a grey one."""
    attributes: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = descriptor
        attributes[f"{colour}PaletteColorLookupTableData"] = entries
    return attributes


class TestLayouts:
    @pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
    def test_signed_values(self, syntax):
        """Stored -2048..2047 with a window over all of it is the unsigned picture."""
        values = chest(12)
        signed = (values.astype(np.int32) - 2048).astype(np.int16)
        window = {"WindowCenter": 0, "WindowWidth": 4096}
        if syntax == uid.JPEGLosslessSV1:  # JPEG knows no sign: it carries the bit patterns
            frame = imagecodecs.jpeg8_encode(
                signed.astype(np.uint16) & 0xFFF, lossless=True, predictor=1, bitspersample=12
            )
            content = framed(frame, signed, 12, syntax, **window)
        else:
            make = compressed if syntax.is_encapsulated else plain
            content = make(signed, 12, syntax, **window)

        expected = decode(plain(values, 12, WindowCenter=2048, WindowWidth=4096))

        assert expected.pixels.tolist() == decode(content).pixels.tolist()

    @pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
    def test_bits_beside_the_stored_ones_are_not_looked_at(self, syntax):
        """Old files keep overlays there; whoever compressed them without loss has kept those, too."""
        values, beside = chest(12), np.arange(96 * 80, dtype=np.uint16).reshape(96, 80) << 12
        make = compressed if syntax.is_encapsulated else plain
        made = dcmread(BytesIO(make(values | beside, 16, syntax)))
        made.BitsStored, made.HighBit = 12, 11

        assert decode(plain(values, 12)).pixels.tolist() == decode(written(made, syntax)).pixels.tolist()

    def test_the_photometric_interpretation_may_be_in_small_letters(self):
        assert (
            decode(plain(SMALL)).pixels.tolist()
            == decode(plain(SMALL, PhotometricInterpretation="Monochrome2")).pixels.tolist()
        )

    def test_a_high_bit_at_the_top_means_values_at_the_top(self):
        values = chest(12)

        assert decode(plain(values, 12)).pixels.tolist() == decode(plain(values << 4, 12, HighBit=15)).pixels.tolist()

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
    @pytest.mark.parametrize("empty", ["SamplesPerPixel", "BitsStored", "HighBit", "PixelRepresentation"])
    def test_what_is_missing_is_what_it_is_by_default(self, empty, syntax, bits):
        """One sample, unsigned, of all allocated bits."""
        values = chest(bits)
        content = compressed(values, bits, syntax) if syntax.is_encapsulated else plain(values, bits)
        made = dcmread(BytesIO(content))
        made[empty].value = None

        assert decode(content).pixels.tolist() == decode(written(made, syntax)).pixels.tolist()

    def test_rescale_and_window_in_its_units(self):
        radiograph = decode(
            plain(SMALL, 8, RescaleSlope="2", RescaleIntercept="-100", WindowCenter="155.5", WindowWidth="511")
        )

        assert np.abs(radiograph.pixels.astype(int) - SMALL).max() <= 1

    def test_the_first_of_several_windows(self):
        several = plain(SMALL, 8, WindowCenter=["100", "7"], WindowWidth=["50", "3"])

        assert (
            decode(plain(SMALL, 8, WindowCenter=100, WindowWidth=50)).pixels.tolist() == decode(several).pixels.tolist()
        )

    @pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
    def test_the_function_of_a_window_matters(self, function):
        window = {"WindowCenter": 100, "WindowWidth": 50}

        linear, other = plain(SMALL, 8, **window), plain(SMALL, 8, VOILUTFunction=function, **window)

        assert decode(linear).pixels.tolist() != decode(other).pixels.tolist()

    @pytest.mark.parametrize("window", [{"WindowCenter": 100, "WindowWidth": 0}, {"WindowCenter": 100}])
    def test_a_window_that_makes_no_sense_is_no_window(self, window):
        assert SMALL.tolist() == decode(plain(SMALL, 8, **window)).pixels.tolist()

    def test_a_voi_lut_where_there_is_no_window(self):
        negative = item(0, list(range(255, -1, -1)), 8)

        assert (255 - SMALL).tolist() == decode(plain(SMALL, 8, VOILUTSequence=[negative])).pixels.tolist()

    def test_a_modality_lut_comes_before_the_window(self):
        doubled = item(0, [2 * value for value in range(256)], 16)

        radiograph = decode(plain(SMALL, 8, ModalityLUTSequence=[doubled], WindowCenter=256, WindowWidth=511))

        assert np.abs(radiograph.pixels.astype(int) - SMALL).max() <= 1

    def test_a_lut_may_begin_in_the_upper_half_of_unsigned_values(self):
        """What it begins with is no negative number there."""
        values = chest(16)
        negative = item(40_000, list(range(65_535, 39_999, -1)), 16)

        shown = decode(plain(values, 16, VOILUTSequence=[negative])).pixels

        expected = (65_535 - np.clip(values.astype(np.int64) - 40_000, 0, 25_535)) / 257
        assert np.abs(shown - expected).max() <= 1

    def test_a_lut_with_entries_wider_than_it_says_is_read_by_its_entries(self):
        """Some writers put the 8 bits of the display there; else all above would be white."""
        doubled = item(0, [2 * value for value in range(256)], 8)

        assert np.abs(decode(plain(SMALL, 8, VOILUTSequence=[doubled])).pixels.astype(int) - SMALL).max() <= 1

    @pytest.mark.parametrize(("one_end", "other_end"), [(190, 210), (210, 190)])
    def test_padding_may_be_a_range_in_either_order(self, one_end, other_end):
        """In MONOCHROME1 the limit may be the lower one."""
        padded = decode(plain(SMALL, 8, PixelPaddingValue=one_end, PixelPaddingRangeLimit=other_end)).pixels

        assert np.where((SMALL >= 190) & (SMALL <= 210), 0, SMALL).tolist() == padded.tolist()

    def test_padding_is_air_in_both_polarities(self):
        values = SMALL.copy()
        values[:4] = 200

        for photometric in ("MONOCHROME1", "MONOCHROME2"):
            padded = plain(values, 8, PhotometricInterpretation=photometric, PixelPaddingValue=200)
            assert decode(padded).pixels[:4].max() == 0

    def test_colour_becomes_luma(self):
        made = dataset(SMALL, PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=0)
        made.PixelData = np.repeat(SMALL.astype(np.uint8)[..., None], 3, axis=2).tobytes()

        assert SMALL.tolist() == decode(written(made)).pixels.tolist()

    @pytest.mark.parametrize(
        ("bits", "entries"),
        [(8, np.arange(256, dtype="u1")), (8, np.arange(256, dtype="<u2")), (16, np.arange(256, dtype="<u2") * 257)],
        ids=["8 bits", "8 bits in 16-bit words", "16 bits"],
    )
    def test_a_palette_becomes_luma(self, bits, entries):
        content = plain(SMALL, 8, **palette([256, 0, bits], entries[::-1].tobytes()))

        assert (255 - SMALL).tolist() == decode(content).pixels.tolist()

    def test_a_long_palette_with_short_entries_is_refused(self):
        with pytest.raises(UndecodableImageError, match="palette"):
            decode(plain(chest(12), 12, **palette([4096, 0, 8], bytes(4096))))


class TestPolarity:
    @pytest.mark.parametrize("bits", [8, 12, 16])
    def test_monochrome1_of_the_inverse_is_monochrome2(self, bits):
        values = chest(bits)
        twin = plain(2**bits - 1 - values, bits, PhotometricInterpretation="MONOCHROME1")

        assert decode(plain(values, bits)).pixels.tolist() == decode(twin).pixels.tolist()

    def test_the_tag_alone_gives_the_negative(self):
        alone = plain(SMALL, 8, PhotometricInterpretation="MONOCHROME1")

        assert (255 - SMALL).tolist() == decode(alone).pixels.tolist()
