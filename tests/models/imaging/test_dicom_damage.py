"""Reading DICOM: compressed frames that are cut, and what of other damage is noticed."""

from functools import cache
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.encaps import get_frame

from models.errors import UndecodableImageError
from models.imaging.decode import decode
from tests.dicom_samples import chest, compressed, framed, jpeg

BITS = 12
VALUES = chest(BITS, 256, 200)
NOTICE_HOLES = [uid.JPEGLSLossless, uid.JPEGLSNearLossless]
PASS_HOLES_OVER = [
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,  # notices some
]
SYNTAXES = NOTICE_HOLES + PASS_HOLES_OVER
WITH_END_MARKER = [syntax for syntax in SYNTAXES if syntax != uid.RLELossless]
JPEGS = [syntax for syntax in WITH_END_MARKER if syntax not in (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless)]


@cache
def whole(syntax: str) -> bytes:
    """A frame without padding."""
    match syntax:
        case uid.JPEGBaseline8Bit:
            return jpeg((VALUES >> 4).astype(np.uint8), quality=95)
        case uid.JPEGExtended12Bit:
            return bytes(imagecodecs.jpeg8_encode(VALUES, 95, bitspersample=BITS))
        case uid.JPEGLSNearLossless:
            return bytes(imagecodecs.jpegls_encode(VALUES, 3))
        case uid.JPEG2000:
            return bytes(imagecodecs.jpeg2k_encode(VALUES, 60, bitspersample=BITS, codecformat="J2K"))
    dataset = dcmread(BytesIO(compressed(VALUES, BITS, syntax)))
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    return frame if syntax == uid.RLELossless else frame.rstrip(b"\0")


def file_with(frame: bytes, syntax: str) -> bytes:
    return framed(frame + bytes(len(frame) % 2), VALUES, 8 if syntax == uid.JPEGBaseline8Bit else BITS, syntax)


def with_hole(frame: bytes) -> bytes:
    """64 zeros in the middle, as a block that a disk lost."""
    middle = len(frame) // 2
    return frame[:middle] + bytes(64) + frame[middle + 64 :]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
class TestCuts:
    @pytest.mark.parametrize("kept", [0.999, 0.95, 0.5, 0.1])
    def test_a_cut_frame_is_refused(self, syntax, kept):
        """Decoders of JPEG would paint the rest."""
        frame = whole(syntax)

        with pytest.raises(UndecodableImageError):
            decode(file_with(frame[: int(kept * len(frame))], syntax))

    @pytest.mark.parametrize("kept", [0.95, 0.5, 0.1])
    def test_so_is_one_whose_rest_is_zeros(self, syntax, kept):
        """What a transfer leaves that broke off in a file of its full length."""
        frame = whole(syntax)

        with pytest.raises(UndecodableImageError):
            decode(file_with(frame[: int(kept * len(frame))].ljust(len(frame), b"\0"), syntax))


@pytest.mark.parametrize("syntax", WITH_END_MARKER, ids=lambda syntax: syntax.name)
class TestEnds:
    @pytest.mark.parametrize("missing", [1, 2])
    def test_half_an_end_marker_is_none(self, syntax, missing):
        with pytest.raises(UndecodableImageError):
            decode(file_with(whole(syntax)[:-missing], syntax))

    @pytest.mark.parametrize(
        "padding", [b"\0\0", bytes(512), b"\xff\xff", b" \0"], ids=["even", "block", "fill", "space"]
    )
    def test_padding_may_follow_it(self, syntax, padding):
        padded, plain = (decode(file_with(whole(syntax) + end, syntax)) for end in (padding, b""))

        assert plain.pixels.tolist() == padded.pixels.tolist()


@pytest.mark.parametrize("syntax", JPEGS, ids=lambda syntax: syntax.name)
def test_an_end_marker_before_the_picture_does_not_count(syntax):
    """That of a thumbnail in the first segment, say."""
    thumbnail = b"\xff\xd8\xff\xd9"
    start, rest = whole(syntax)[:2], whole(syntax)[2:]
    frame = start + b"\xff\xef" + (2 + len(thumbnail)).to_bytes(2) + thumbnail + rest

    assert decode(file_with(frame, syntax)).pixels.tolist() == decode(file_with(whole(syntax), syntax)).pixels.tolist()
    with pytest.raises(UndecodableImageError):
        decode(file_with(frame[: len(frame) // 2], syntax))


class TestHoles:
    """These hold decoders to what the module's docstrings say of them; none of it is wanted."""

    @pytest.mark.parametrize("syntax", NOTICE_HOLES, ids=lambda syntax: syntax.name)
    def test_some_decoders_notice_one(self, syntax):
        with pytest.raises(UndecodableImageError):
            decode(file_with(with_hole(whole(syntax)), syntax))

    @pytest.mark.parametrize("syntax", PASS_HOLES_OVER, ids=lambda syntax: syntax.name)
    def test_others_decode_it_to_some_picture(self, syntax):
        intact, damaged = (decode(file_with(frame, syntax)) for frame in (whole(syntax), with_hole(whole(syntax))))

        assert intact.pixels.tolist() != damaged.pixels.tolist()
