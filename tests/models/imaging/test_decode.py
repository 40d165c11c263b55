"""The door as a whole: no content gets anything but a radiograph or an error of ours out of it."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from models.errors import ThorascopeError, UndecodableImageError, UnsupportedMediaError
from models.imaging.decode import decode
from models.imaging.radiograph import ImageFormat, Radiograph
from models.imaging.sniff import sniff
from tests.dicom_samples import chest, compressed, dataset, framed, jpeg, plain, png, written

VALUES = chest(12, 40, 36)
GREY = chest(8, 40, 36).astype(np.uint8)
SAMPLES = {
    "explicit": plain(VALUES, 12, WindowCenter=2048, WindowWidth=4096),
    "implicit": plain(VALUES, 12, uid.ImplicitVRLittleEndian),
    "deflated": plain(VALUES, 12, uid.DeflatedExplicitVRLittleEndian),
    "bare": written(dataset(VALUES, 12), uid.ImplicitVRLittleEndian, preamble=False),
    "rle": compressed(VALUES, 12, uid.RLELossless),
    "jpeg-lossless": compressed(VALUES, 12, uid.JPEGLosslessSV1),
    "jpeg-ls": compressed(VALUES, 12, uid.JPEGLSLossless),
    "jpeg-2000": compressed(VALUES, 12, uid.JPEG2000Lossless),
    "htj2k": compressed(VALUES, 12, uid.HTJ2KLossless),
    "jpeg-in-dicom": framed(jpeg(GREY), GREY.astype(np.uint16), 8, uid.JPEGBaseline8Bit),
    "png": png(GREY),
    "jpeg": jpeg(GREY),
}
mutations = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True), st.sampled_from(["flip", "insert", "delete", "length"]), st.integers(0, 255)
    ),
    min_size=1,
    max_size=4,
)


def mutate(content: bytes, changes: list[tuple[float, str, int]]) -> bytes:
    """Change single bytes, or write lengths that lie."""
    damaged = bytearray(content)
    for where, what, value in changes:
        at = int(where * len(damaged))
        match what:
            case "flip":
                damaged[at] ^= value
            case "insert":
                damaged.insert(at, value)
            case "delete":
                del damaged[at]
            case "length":
                damaged[at : at + 4] = struct.pack("<I", value << 24 | value)
    return bytes(damaged)


def outcome(content: bytes) -> Radiograph | ThorascopeError:
    """What `decode` comes to; anything else it raises goes on and fails the test."""
    try:
        return decode(content, limit_px=100_000)
    except ThorascopeError as error:
        return error


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_decode_as_they_are(name):
    assert isinstance(outcome(SAMPLES[name]), Radiograph)


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=60)
@given(changes=mutations)
def test_a_damaged_file_decodes_or_is_refused(name, changes):
    outcome(mutate(SAMPLES[name], changes))


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=15)
@given(share=st.floats(0, 1))
def test_a_cut_file_decodes_or_is_refused(name, share):
    outcome(SAMPLES[name][: int(share * len(SAMPLES[name]))])


@given(content=st.binary(max_size=300))
def test_noise_behind_each_signature_is_refused(content):
    for signature in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", bytes(128) + b"DICM", b"\x08\x00\x05\x00CS\x00\x00"):
        assert isinstance(outcome(signature + content), ThorascopeError)


@settings(max_examples=50)
@given(
    rows=st.integers(0, 65535),
    bits=st.integers(0, 65535),
    center=st.sampled_from(["1e308", "-1e308", "0", "", "nan", "inf", "7\\8"]),
    width=st.sampled_from(["1e-308", "1e308", "1", "0", "-5"]),
    slope=st.sampled_from(["0", "1e308", "-1e-308", "", "nan"]),
)
def test_a_header_of_extremes_decodes_or_is_refused(rows, bits, center, width, slope):
    made = dataset(VALUES, 12, WindowCenter="1", WindowWidth="1", RescaleSlope="1")
    for keyword, value in (("WindowCenter", center), ("WindowWidth", width), ("RescaleSlope", slope)):
        made[keyword]._value = value
    content = bytearray(written(made))
    struct.pack_into("<H", content, content.index(b"\x28\x00\x10\x00US") + 8, rows)
    struct.pack_into("<H", content, content.index(b"\x28\x00\x01\x01US") + 8, bits)
    outcome(bytes(content))


class TestSniff:
    @pytest.mark.parametrize(
        "content", [b"", b"DICM", b"GIF89a", b"%PDF-1.7", b"PK\x03\x04", b"not an image", bytes(1000)]
    )
    def test_other_things_are_unsupported(self, content):
        with pytest.raises(UnsupportedMediaError):
            sniff(content)

    def test_dicom_wins_over_what_stands_in_its_preamble(self):
        """The 128 bytes are free: some files are TIFF as well."""
        assert ImageFormat.DICOM is sniff(b"\xff\xd8\xff".ljust(128, b"\0") + b"DICM")

    @pytest.mark.parametrize("name", SAMPLES)
    def test_samples_are_recognised(self, name):
        assert sniff(SAMPLES[name]) is {"png": ImageFormat.PNG, "jpeg": ImageFormat.JPEG}.get(name, ImageFormat.DICOM)

    def test_a_signature_is_not_yet_an_image(self):
        with pytest.raises(UndecodableImageError):
            decode(b"\x89PNG\r\n\x1a\n")
