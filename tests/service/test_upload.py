"""What a decoder process does with one file."""

import pytest
from pydicom import Dataset

from models.errors import NotAChestRadiographError
from models.imaging.preprocess import InputContract
from service.inference.upload import DecodeOrder, decode_upload
from tests.dicom_samples import chest, plain

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


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"Modality": "CT"}, "modality"), ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing")],
)
def test_decode_upload__refuses_by_the_header_before_pixels_are_read(attributes, reason):
    """Though they are damaged, what is said is that it is no chest."""
    file = plain(chest(), 8, **attributes)[:-1000]

    with pytest.raises(NotAChestRadiographError, match=reason):
        decode_upload(file, DecodeOrder(InputContract(16), limit_px=100_000))
