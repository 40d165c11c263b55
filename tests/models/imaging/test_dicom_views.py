"""Coded views."""

import pytest
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from models.imaging.dicom_views import VIEWS, view_of, view_of_orientation

DX_VIEWS = [getattr(codes.cid4010, name) for name in codes.cid4010.dir()]
MEANINGS = {"postero-anterior": "PA", "antero-posterior": "AP", "left lateral": "LL", "right lateral": "RL"}
OF_EARLIER_EDITIONS = {"R-10214": "PA", "R-10218": "OBLIQUE"}  # which pydicom's dictionary does not have


def expected(meaning: str) -> str | None:
    """By the words of CID 4010."""
    return MEANINGS.get(meaning, "LATERAL" if meaning == "lateral" else "OBLIQUE" if "oblique" in meaning else None)


@pytest.mark.parametrize("view", DX_VIEWS, ids=lambda view: view.meaning)
def test_view_of__means_what_the_code_means(view):
    """Views of other parts (tangential, parieto-orbital) and obliques that chests do not have are no view."""
    assert view_of("SCT", view.value) in {expected(view.meaning), None}


@pytest.mark.parametrize(("view", "code"), [(view, code) for view, known in VIEWS.items() for code in sorted(known)])
def test_view_of__has_codes_of_cid_4010_alone(view, code):
    """Those of SNOMED RT are what pydicom maps to such of SNOMED CT."""
    scheme = "SRT" if code.startswith("R-") else "SCT"
    found = [expected(known.meaning) for known in DX_VIEWS if known == Code(code, scheme, "")]

    assert view == view_of(scheme, code)
    assert found == ([] if code in OF_EARLIER_EDITIONS else [view])
    assert view == OF_EARLIER_EDITIONS.get(code, view)


@pytest.mark.parametrize("scheme", ["SRT", "SNM3", "99SDM"])
def test_view_of__takes_the_schemes_of_older_files(scheme):
    assert ("AP", "RL") == (view_of(scheme, "R-10206"), view_of(scheme, "R-10232"))


@pytest.mark.parametrize(
    ("scheme", "code"), [("", "399348003"), ("99LOCAL", "R-10206"), ("SCT", ""), ("SCT", "Doe^John")]
)
def test_view_of__knows_no_others(scheme, code):
    assert None is view_of(scheme, code)


@pytest.mark.parametrize("orientation", [("A", "F"), ("P", "F"), ("H", "A"), ("AL", "FP")])
def test_view_of_orientation__is_lateral_where_neither_side_is_left_or_right(orientation):
    """However the picture is turned, and where it is a little oblique."""
    assert "LATERAL" == view_of_orientation(orientation)


@pytest.mark.parametrize(
    "orientation", [("L", "F"), ("R", "H"), ("F", "LA"), ("L", "P"), ("A",), ("A", ""), (), ("A", "P")]
)
def test_view_of_orientation__says_nothing_of_others(orientation):
    """Of frontal views, of slices across the body, and of what makes no sense."""
    assert None is view_of_orientation(orientation)
