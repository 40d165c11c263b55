"""Real DICOM files: those of the shared folder decode to what they show."""

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.pixels.processing import apply_voi_lut
from pydicom.uid import ImplicitVRLittleEndian

from models.imaging.decode import decode
from models.imaging.gate import Verdict, check

DERIVED = ["explicitle", "j2k_lossless", "jpegls_lossless"]
REFUSED = {
    "negative/negative_nema_rg2_hip_cr_jpegext.dcm": ("body-part",),
    "negative/negative_nema_rg3_tibia_cr_j2klossless_mono1.dcm": ("body-part",),
    "negative/negative_nema_rg3_tibia_cr_jpeglossless_mono1.dcm": ("body-part",),
    "negative/negative_nema_rg3_tibia_cr_rle_mono1.dcm": ("body-part",),
    "negative/negative_ot_voilut_8bit.dcm": ("modality",),
    "nih_dx_implicitle_udacity_test5.dcm": ("modality",),
}


@pytest.fixture(scope="module")
def read(shared):
    return lambda name: decode((shared / "data/dicom" / name).read_bytes())


def test_every_file_decodes_and_the_gate_refuses_what_names_another_part_or_modality(shared, read):
    folder = shared / "data/dicom"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.dcm"))
    assert len(names) >= 18

    for name in names:
        radiograph = read(name)
        result = check(radiograph.header, None)
        assert (name, REFUSED.get(name, ())) == (name, result.reasons)
        assert (result.verdict is Verdict.REJECTED) == (name in REFUSED)


def test_jpeg_lossless_jpeg_2000_and_rle_of_one_picture_are_equal(read):
    names = [
        f"negative/negative_nema_rg3_tibia_cr_{coder}_mono1.dcm" for coder in ("jpeglossless", "j2klossless", "rle")
    ]
    first, *others = [read(name).pixels for name in names]

    for other in others:
        assert np.array_equal(first, other)


@pytest.mark.parametrize("derived", DERIVED)
def test_a_lossless_copy_equals_its_original(read, derived):
    original = read("nih_dx_implicitle_udacity_test3.dcm").pixels

    assert np.array_equal(original, read(f"derived/nih_dx_test3_{derived}.dcm").pixels)


def test_a_changed_photometric_interpretation_gives_the_negative_and_is_noticed(read):
    honest, fake = read("rsna_cr_jpegbaseline_mono2.dcm"), read("rsna_cr_jpegbaseline_mono1_fake.dcm")

    assert np.array_equal(255 - honest.pixels, fake.pixels)
    assert check(honest.header, honest.pixels).verdict is Verdict.ACCEPTED
    assert ("inverted",) == check(fake.header, fake.pixels).reasons


def test_a_dicom_and_a_png_of_one_picture_are_equal(shared, read):
    png = decode((shared / "data/originals/nih_00000001_000.png").read_bytes())

    assert np.array_equal(png.pixels, read("nih_dx_implicitle_udacity_test2.dcm").pixels)


def test_a_16_bit_png_looks_like_the_dicom_it_was_made_from(shared, read):
    """The DICOM's window cuts 8 % off the range that the PNG shows: a few grey levels, and the same picture."""
    png = decode((shared / "data/originals/derived_nema_rg1_16bit.png").read_bytes()).pixels
    dicom = read("nema_rg1_chest_cr_j2k_lossy_mono1.dcm").pixels

    assert np.corrcoef(png.ravel(), dicom.ravel())[0, 1] > 0.999
    assert np.abs(png.astype(int) - dicom).mean() < 6


@pytest.mark.parametrize(
    "name",
    [
        "barre_cr_mono1_10_chest_nopreamble.dcm",
        "nema_rg1_chest_cr_j2k_lossy_mono1.dcm",
        "negative/negative_ot_voilut_8bit.dcm",
    ],
)
def test_windows_and_luts_agree_with_pydicom(shared, read, name):
    """pydicom's own VOI transformation, an oracle for files whose decoder it has."""
    dataset = dcmread(shared / "data/dicom" / name, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    stored = dataset.pixel_array
    windowed = apply_voi_lut(stored, dataset).astype(float)
    white = 2 ** (dataset.VOILUTSequence[0].LUTDescriptor[2] if "VOILUTSequence" in dataset else dataset.BitsStored) - 1
    grey = 255 * windowed / white
    expected = 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey

    assert np.abs(read(name).pixels - expected).max() <= 0.5 + 1e-6


def test_every_original_decodes_as_pillow_shows_it(shared):
    for path in sorted((shared / "data/originals").glob("*.*g")):
        pixels = decode(path.read_bytes()).pixels
        with Image.open(path) as image:
            if not image.mode.startswith("I"):
                assert np.array_equal(np.asarray(image.convert("L")), pixels), path.name
