"""Reading DICOM: what is refused, and what may leave the door."""

import logging
import struct
import zlib
from contextlib import suppress
from unittest.mock import Mock

import numpy as np
import pytest
from pydicom import Dataset, uid

from models.errors import ImageTooLargeError, NotAChestRadiographError, UndecodableImageError
from models.imaging.decode import decode
from models.imaging.preprocess import InputContract, prepare
from models.imaging.radiograph import Header, ImageFormat
from tests.dicom_samples import PATIENT, chest, compressed, dataset, framed, jpeg, plain, written

SMALL = np.arange(256, dtype=np.uint16).reshape(16, 16)


class TestRefusals:
    @pytest.mark.parametrize("size", [(65535, 65535, 1), (1000, 1000, 100), (2, 1, 2**31 - 1)])
    def test_more_pixels_than_the_limit_are_refused_by_the_header(self, size):
        rows, columns, frames = size
        content = plain(SMALL, 8, Rows=rows, Columns=columns, NumberOfFrames=frames)

        with pytest.raises(ImageTooLargeError):
            decode(content, limit_px=10_000_000)

    def test_several_frames(self):
        with pytest.raises(UndecodableImageError, match="several frames"):
            decode(plain(SMALL, 8, NumberOfFrames=2))

    def test_fewer_pixels_than_promised(self):
        with pytest.raises(UndecodableImageError, match="fewer pixels"):
            decode(plain(SMALL, 8, Rows=1000))

    @pytest.mark.parametrize(
        "attributes",
        [
            {"Rows": None},
            {"Columns": 0},
            {"BitsAllocated": 32},
            {"BitsStored": 12},
            {"BitsAllocated": None},
            {"SamplesPerPixel": 4},
            {"PhotometricInterpretation": "RGB"},
        ],
    )
    def test_a_layout_that_is_incomplete_or_impossible(self, attributes):
        with pytest.raises(UndecodableImageError):
            decode(plain(SMALL, 8, **attributes))

    def test_no_pixels_at_all(self):
        """A report, a plan or a DICOMDIR among the images; it may have a size all the same."""
        made = dataset(SMALL)
        del made.PixelData
        with pytest.raises(UndecodableImageError, match="no Pixel Data"):
            decode(written(made))
        del made.Rows
        with pytest.raises(UndecodableImageError, match="no Pixel Data"):
            decode(written(made))

    @pytest.mark.parametrize("photometric", [None, ""])
    def test_without_photometric_interpretation_the_message_says_so(self, photometric):
        """Whether the smallest value is black or white is not ours to guess."""
        with pytest.raises(UndecodableImageError, match="no Photometric Interpretation"):
            decode(plain(SMALL, 8, PhotometricInterpretation=photometric))

    @pytest.mark.parametrize("kept", [0.9, 0.5, "header", "meta"])
    def test_a_compressed_file_that_is_cut(self, kept):
        """Its pixels have no end, or its header has none; in neither case does it lack a size."""
        content = framed(jpeg(SMALL.astype(np.uint8)), SMALL, 8, uid.JPEGBaseline8Bit)
        at = {"header": content.index(b"CHEST") + 2, "meta": 200}
        cut = content[: at[kept] if kept in at else int(kept * len(content))]

        with pytest.raises(UndecodableImageError, match="damaged or cut"):
            decode(cut)

    def test_a_whole_file_without_a_size(self):
        """Nothing of it is missing but what was never there."""
        with pytest.raises(UndecodableImageError, match="no size"):
            decode(plain(SMALL, 8, Rows=None))

    @pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1])
    def test_a_jpeg_frame_larger_than_the_header_says(self, syntax):
        """The decoder would allocate what the frame asks for."""
        frame = bytearray(jpeg(SMALL.astype(np.uint8)))
        at = frame.index(b"\xff\xc0")
        struct.pack_into(">HH", frame, at + 5, 65000, 65000)

        with pytest.raises(UndecodableImageError, match="disagree"):
            decode(framed(bytes(frame), SMALL, 8, syntax))

    def test_a_jpeg_2000_frame_larger_than_the_header_says(self):
        values = chest()
        content = bytearray(compressed(values, 8, uid.JPEG2000Lossless))
        struct.pack_into(">II", content, content.index(b"\xff\x4f\xff\x51") + 8, 60000, 60000)

        with pytest.raises(UndecodableImageError, match="disagree"):
            decode(bytes(content))

    def test_a_jp2_box_without_length_does_not_hang(self):
        frame = b"\x00\x00\x00\x0cjP  \x0d\x0a\x87\x0a" + b"\x00\x00\x00\x00ftyp" + bytes(32)

        with pytest.raises(UndecodableImageError, match="without codestream"):
            decode(framed(frame, SMALL, 8, uid.JPEG2000Lossless))

    def test_an_rle_frame_that_cannot_hold_the_picture(self):
        with pytest.raises(UndecodableImageError, match="fewer pixels"):
            decode(framed(bytes(66), SMALL, 8, uid.RLELossless, Rows=4000, Columns=4000))

    def test_a_deflated_data_set_stops_growing_at_the_limit(self):
        made = dataset(SMALL)
        made.PixelData = bytes(2**25)

        with pytest.raises(ImageTooLargeError, match="deflated"):
            decode(written(made, uid.DeflatedExplicitVRLittleEndian), limit_px=1000)

    def test_a_deflated_data_set_that_is_cut(self):
        with pytest.raises(UndecodableImageError, match="cut"):
            decode(plain(chest(), 8, uid.DeflatedExplicitVRLittleEndian)[:-200])

    @pytest.mark.parametrize("length", [None, 2])
    def test_a_deflated_data_set_whose_meta_information_has_no_right_length(self, length):
        """Read by pydicom it would inflate without a limit."""
        name = uid.DeflatedExplicitVRLittleEndian.encode()
        meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(name)) + name
        if length is not None:
            meta = struct.pack("<HH2sHI", 2, 0, b"UL", 4, length) + meta
        inflated = struct.pack("<HH2sH", 8, 0x60, b"CS", 2) + b"DX"
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)

        with pytest.raises(UndecodableImageError, match="meta information"):
            decode(bytes(128) + b"DICM" + meta + deflate.compress(inflated) + deflate.flush())


class TestMemory:
    def test_too_little_of_it_is_not_called_damage(self, monkeypatch):
        """A decoder process counts it as a fault of the file."""
        monkeypatch.setattr("models.imaging.dicom.grey_codes", Mock(side_effect=MemoryError))
        monkeypatch.setattr("models.imaging.raster._grey", Mock(side_effect=MemoryError))

        with pytest.raises(MemoryError):
            decode(plain(SMALL, 8))
        with pytest.raises(MemoryError):
            decode(jpeg(SMALL.astype(np.uint8)))


class TestPixelShape:
    @pytest.mark.parametrize(
        ("attributes", "aspect"),
        [
            ({}, 1.0),
            ({"PixelAspectRatio": [2, 1]}, 2.0),
            ({"PixelSpacing": [0.1, 0.2]}, 0.5),
            ({"ImagerPixelSpacing": [0.3, 0.2]}, 1.5),
            ({"PixelSpacing": [0.2, 0.2], "PixelAspectRatio": [2, 1]}, 1.0),
            ({"ImagerPixelSpacing": [0.139, 0.14]}, 1.0),
            ({"PixelAspectRatio": [100, 1]}, 1.0),
            ({"PixelAspectRatio": [0, 1]}, 1.0),
            ({"PixelSpacing": 0.3}, 1.0),
        ],
    )
    def test_by_spacing_else_by_ratio_else_square(self, attributes, aspect):
        assert pytest.approx(aspect) == decode(plain(SMALL, 8, **attributes)).aspect

    def test_a_picture_with_half_the_rows_looks_as_it_did(self):
        """Two rows averaged into one, which the header says."""
        values = chest()
        halved = values.reshape(len(values) // 2, 2, -1).mean(axis=1).astype(values.dtype)
        contract = InputContract(64)

        whole = prepare(decode(plain(values, 8)), contract)
        half = prepare(decode(plain(halved, 8, PixelAspectRatio=[2, 1])), contract)

        assert whole.letterbox.content == half.letterbox.content
        assert np.abs(whole.image.astype(int) - half.image.astype(int)).mean() < 2


def view_code(scheme: str, code: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = code, scheme, PATIENT
    return made


def read_header(content: bytes) -> Header:
    """What is shown before pixels are read."""
    shown: list[Header] = []
    with suppress(UndecodableImageError):
        decode(content, check_header=shown.append)
    return shown[0]


class TestHeader:
    def test_six_attributes_leave_the_door(self):
        header = read_header(plain(SMALL, 8, PresentationIntentType="FOR PRESENTATION"))

        assert Header("DX", "CHEST", "PA", "MONOCHROME2", "1.2.840.10008.1.2.1", "FOR PRESENTATION") == header

    def test_the_radiograph_has_the_header_that_was_shown(self):
        assert decode(plain(SMALL, 8)).header == read_header(plain(SMALL, 8))
        assert ImageFormat.DICOM is decode(plain(SMALL, 8)).format

    def test_what_is_missing_or_no_code_is_none(self):
        header = read_header(plain(SMALL, 8, Modality=None, BodyPartExamined="", ViewPosition="Doe^John"))

        assert (None, None, None) == (header.modality, header.body_part_examined, header.view_position)

    def test_codes_are_upper_case_without_padding(self):
        assert read_header(plain(SMALL, 8, BodyPartExamined=" chest ")).body_part_examined == "CHEST"

    @pytest.mark.parametrize("position", [None, "", "Doe^John"])
    @pytest.mark.parametrize(("scheme", "code", "view"), [("SCT", "399198007", "RL"), ("SRT", "R-10206", "AP")])
    def test_a_coded_view_stands_in_for_a_view_position_that_is_none(self, position, scheme, code, view):
        content = plain(SMALL, 8, ViewPosition=position, ViewCodeSequence=[view_code(scheme, code)])

        assert view == read_header(content).view_position == decode(content).header.view_position

    def test_view_position_wins_over_a_coded_view(self):
        assert "PA" == read_header(plain(SMALL, 8, ViewCodeSequence=[view_code("SCT", "399198007")])).view_position

    @pytest.mark.parametrize("items", [[], [Dataset()], [view_code(PATIENT, PATIENT)], [view_code("SCT", PATIENT)]])
    def test_a_code_that_is_no_view_is_none(self, items):
        """Whatever stands in it stays inside."""
        assert None is read_header(plain(SMALL, 8, ViewPosition=None, ViewCodeSequence=items)).view_position

    @pytest.mark.parametrize(
        ("orientation", "view"),
        [(["A", "F"], "LATERAL"), (["L", "F"], None), ("", None), (PATIENT, None), ([PATIENT, PATIENT], None)],
    )
    def test_patient_orientation_tells_a_lateral_view_where_nothing_else_does(self, orientation, view):
        attributes = {"PatientOrientation": orientation, "ViewCodeSequence": []}

        assert view == read_header(plain(SMALL, 8, ViewPosition=None, **attributes)).view_position
        assert "AP" == read_header(plain(SMALL, 8, ViewPosition="AP", **attributes)).view_position

    def test_it_is_read_without_pixels(self):
        assert read_header(plain(chest(), 8)[:-1000]).modality == "DX"

    @pytest.mark.parametrize("error", [NotAChestRadiographError("a foot", ["body-part"]), ValueError("a bug")])
    def test_whoever_checks_it_may_end_the_decoding(self, error):
        """With an error of his own, which is not taken for damage."""
        with pytest.raises(type(error), match=str(error)):
            decode(plain(SMALL, 8, Rows=1000), check_header=Mock(side_effect=error))


@pytest.mark.parametrize(
    "attributes",
    [
        {"Rows": 1000},
        {"WindowCenter": "1", "PatientBirthDate": "not a date"},
        {"BitsAllocated": 32},
        {"NumberOfFrames": 3},
        {"PhotometricInterpretation": PATIENT},
        {"PresentationIntentType": PATIENT},
    ],
)
def test_nothing_of_the_patient_is_in_messages_or_logs(attributes, caplog, capfd):
    """A canary stands in the header; whatever goes wrong, nobody hears it."""
    caplog.set_level(logging.DEBUG)
    try:
        radiograph = decode(plain(SMALL, 8, **attributes))
    except UndecodableImageError as error:
        said = str(error)
    else:
        said = repr(radiograph.header)

    assert PATIENT not in said + caplog.text + "".join(capfd.readouterr())
