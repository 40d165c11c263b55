"""Reading DICOM: every transfer syntax gives the same pixels."""

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from models.errors import UndecodableImageError
from models.imaging.decode import decode
from tests.dicom_samples import chest, compressed, dataset, framed, jpeg, plain, written

NATIVE = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
]
LOSSLESS = [
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
]
SMALL = np.arange(256, dtype=np.uint16).reshape(16, 16)


class TestTransferSyntaxes:
    @pytest.mark.parametrize("bits", [8, 12, 16])
    @pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
    def test_native(self, syntax, bits):
        values = chest(bits)
        window = {"WindowCenter": 2 ** (bits - 1), "WindowWidth": 2**bits}

        radiograph = decode(plain(values, bits, syntax, **window))

        assert np.abs(radiograph.pixels - values * (255 / (2**bits - 1))).max() <= 0.5 + 1e-9
        assert str(syntax) == radiograph.header.transfer_syntax_uid

    @pytest.mark.parametrize("bits", [8, 10, 12, 16])
    @pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
    def test_lossless_equals_native(self, syntax, bits):
        values = chest(bits)

        assert decode(plain(values, bits)).pixels.tolist() == decode(compressed(values, bits, syntax)).pixels.tolist()

    def test_jpeg_baseline(self):
        values = chest()

        radiograph = decode(framed(jpeg(values.astype(np.uint8), quality=95), values, 8, uid.JPEGBaseline8Bit))

        assert np.abs(radiograph.pixels.astype(int) - values).mean() < 2

    def test_jpeg_extended_of_12_bits(self):
        values = chest(12)
        frame = imagecodecs.jpeg8_encode(values, 95, bitspersample=12)

        radiograph = decode(framed(frame, values, 12, uid.JPEGExtended12Bit))

        assert np.abs(radiograph.pixels.astype(int) - decode(plain(values, 12)).pixels).mean() < 2

    def test_a_lossy_coder_that_overshoots_does_not_wrap_around(self):
        """12-bit JPEG with 10 stored bits: 1030 is white, not 6."""
        values = np.full((16, 16), 1023, np.uint16)
        values[:, 8:] = 1030
        frame = imagecodecs.jpeg8_encode(values, 100, bitspersample=12)
        assert imagecodecs.jpeg8_decode(frame).max() > 1023

        radiograph = decode(framed(frame, values, 10, uid.JPEGExtended12Bit, WindowCenter=512, WindowWidth=1024))

        assert {255} == set(radiograph.pixels.ravel().tolist())

    @pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
    def test_a_file_without_preamble_and_meta_information(self, syntax):
        content = written(dataset(SMALL), syntax, preamble=False)

        radiograph = decode(content)

        assert SMALL.tolist() == radiograph.pixels.tolist()
        assert str(syntax) == radiograph.header.transfer_syntax_uid

    def test_a_syntax_of_videos_is_undecodable(self):
        with pytest.raises(UndecodableImageError, match="not supported"):
            decode(framed(b"\x00" * 64, SMALL, 8, uid.MPEG2MPML))
