"""What a decoder process does with one file."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from models.errors import NotAChestRadiographError
from models.imaging.phantom import draw
from models.imaging.preprocess import InputContract
from service.inference.upload import DecodeOrder, decode_upload
from tests.dicom_samples import chest, plain, png

ORDER = DecodeOrder(InputContract(16), limit_px=100_000, refuse_rejected=False)


class SearchedFile(bytes):
    """Counts how often all of it is looked through."""

    num_searches = 0

    def __contains__(self, part) -> bool:
        self.num_searches += 1
        return super().__contains__(part)


def test_decode_upload__looks_for_deflation_once():
    """The UID of that syntax may hide anywhere in many megabytes; header and pixels need one search."""
    file = SearchedFile(plain(chest(), 8))
    decode_upload(file, ORDER)

    assert 1 == file.num_searches


def test_decode_upload__flags_a_lateral_view_that_only_a_code_tells():
    """View Position may be empty where View Code Sequence is not."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "399173006", "SCT", "left lateral"
    file = plain(chest(), 8, ViewPosition="", ViewCodeSequence=[code])

    decoded = decode_upload(file, ORDER)

    assert "LL" == decoded.header.view_position
    assert ("odd-header",) == decoded.gate.reasons


def test_decode_upload__judges_the_shape_that_the_picture_shows():
    """Not that of its rows and columns."""
    decoded = decode_upload(plain(chest(), 8, PixelAspectRatio=[8, 1]), ORDER)

    assert ("elongated",) == decoded.gate.reasons


def test_decode_upload__asks_more_of_a_picture_in_colours():
    """A phantom pushed down by a third is somewhat like a chest: grey it passes, in two colours it does not."""
    grey = np.roll(draw(0, 256, 210), 84, axis=0)
    coloured = np.concatenate([grey[:, :105, None] * (1, 0.5, 0.2), grey[:, 105:, None] * (0.3, 0.6, 1)], axis=1)
    luma = decode_upload(png(coloured.astype(np.uint8)), replace(ORDER, keep_pixels=True))

    assert ("no-chest",) == luma.gate.reasons
    assert () == decode_upload(png(luma.pixels), ORDER).gate.reasons


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"Modality": "CT"}, "modality"), ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing")],
)
def test_decode_upload__refuses_by_the_header_before_pixels_are_read(attributes, reason):
    """Though they are damaged, what is said is that it is no chest."""
    file = plain(chest(), 8, **attributes)[:-1000]

    with pytest.raises(NotAChestRadiographError, match=reason):
        decode_upload(file, DecodeOrder(InputContract(16), limit_px=100_000))
