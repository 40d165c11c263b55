"""The gate: what is refused, what is flagged, what passes."""

import csv

import numpy as np
import pytest
from PIL import Image

from models.imaging.gate import GateResult, Verdict, check
from models.imaging.phantom import draw
from models.imaging.radiograph import Header

CHEST = draw(0, 256, 210)
PLAIN = {"modality": "DX", "photometric_interpretation": "MONOCHROME2"}


def said(result: GateResult) -> tuple[Verdict, tuple[str, ...]]:
    """All but the score."""
    return result.verdict, result.reasons


def of_header(**attributes: str | None) -> tuple[Verdict, tuple[str, ...]]:
    return said(check(Header(**(PLAIN | attributes)), CHEST))


class TestHeader:
    @pytest.mark.parametrize("modality", ["CR", "DX", "DR"])
    def test_projection_radiography_passes(self, modality):
        assert (Verdict.ACCEPTED, ()) == of_header(modality=modality)

    @pytest.mark.parametrize("modality", ["CT", "MR", "US", "MG", "OT", "SC"])
    def test_other_modalities_are_refused(self, modality):
        assert (Verdict.REJECTED, ("modality",)) == of_header(modality=modality)

    def test_a_missing_modality_passes_and_is_odd(self):
        assert (Verdict.SUSPICIOUS, ("odd-header",)) == of_header(modality=None)

    @pytest.mark.parametrize(
        "part",
        [
            None,
            "CHEST",
            "THORAX",
            "LUNG",
            "RIBCAGE",
            "RIBS",
            "RIB",
            "PORT CHEST",
            "CHESTPA",
            "HEART",
            "TORAX",
            "UNKNOWN",
        ],
    )
    def test_the_chest_by_any_name_and_no_name_pass(self, part):
        assert Verdict.ACCEPTED is of_header(body_part_examined=part)[0]

    @pytest.mark.parametrize("part", ["HIP", "EXTREMITY", "ABDOMEN", "SKULL", "HAND", "LSPINE", "BREAST", "CRIBRIFORM"])
    def test_other_parts_are_refused(self, part):
        assert (Verdict.REJECTED, ("body-part",)) == of_header(body_part_examined=part)

    def test_raw_data_of_a_detector_are_refused(self):
        assert (Verdict.REJECTED, ("for-processing",)) == of_header(presentation_intent_type="FOR PROCESSING")

    @pytest.mark.parametrize("intent", [None, "FOR PRESENTATION"])
    def test_what_is_meant_to_be_looked_at_passes(self, intent):
        assert (Verdict.ACCEPTED, ()) == of_header(presentation_intent_type=intent)

    @pytest.mark.parametrize("view", ["LL", "RL", "LAT", "LATERAL", "LLO", "RLO", "OBLIQUE"])
    def test_a_lateral_or_oblique_view_is_odd(self, view):
        assert (Verdict.SUSPICIOUS, ("odd-header",)) == of_header(view_position=view)

    @pytest.mark.parametrize("view", [None, "PA", "AP", "LLD", "RLD"])
    def test_frontal_views_pass(self, view):
        """Also those of a patient who lies on the side (decubitus)."""
        assert (Verdict.ACCEPTED, ()) == of_header(view_position=view)

    def test_colour_is_odd(self):
        assert (Verdict.SUSPICIOUS, ("odd-header",)) == of_header(photometric_interpretation="RGB")

    def test_it_can_be_judged_before_pixels_are_decoded(self):
        assert ("modality", "body-part") == check(
            Header(**PLAIN | {"modality": "CT", "body_part_examined": "HEAD"}), None
        ).reasons

    def test_a_picture_without_header_is_judged_by_its_pixels(self):
        assert (Verdict.ACCEPTED, ()) == said(check(None, CHEST))


class TestPixels:
    @pytest.mark.parametrize(
        "pixels", [np.zeros((50, 50), np.uint8), np.full((50, 50), 255, np.uint8), np.ones((1, 1), np.uint8)]
    )
    def test_a_picture_without_contrast_is_refused(self, pixels):
        assert (Verdict.REJECTED, ("blank",)) == said(check(None, pixels))

    @pytest.mark.parametrize("size", [(900, 200), (200, 900)])
    def test_a_strip_is_refused_whatever_it_shows(self, size):
        strip = np.asarray(Image.fromarray(CHEST).resize(size))

        assert (Verdict.REJECTED, ("elongated",)) == said(check(None, strip))

    def test_pixels_that_are_no_squares_are_reckoned_with(self):
        stretched = np.asarray(Image.fromarray(CHEST).resize((200, 900)))

        assert (Verdict.ACCEPTED, ()) == said(check(None, stretched, aspect=0.25))

    @pytest.mark.parametrize(
        "pixels", [np.zeros((50, 50), np.uint8), np.asarray(Image.fromarray(CHEST).resize((900, 200)))]
    )
    def test_where_the_network_is_not_asked_the_score_is_0(self, pixels):
        assert 0 == check(None, pixels).score

    def test_an_inverted_chest_is_suspicious(self):
        assert (Verdict.SUSPICIOUS, ("inverted",)) == said(check(None, 255 - CHEST))

    def test_the_weightiest_reason_stands_first(self):
        result = check(Header("CT", None, "LL", "MONOCHROME1"), 255 - CHEST)

        assert (Verdict.REJECTED, ("modality", "inverted", "odd-header")) == said(result)


def test_inverted__rates_on_real_radiographs(shared):
    """A tenth of the gathered radiographs, one in ten of each source; the docstring states the rates on all."""
    folder = shared / "data/cxr"
    with (folder / "manifest.csv").open(newline="") as file:
        rows = sorted(
            (row for row in csv.DictReader(file) if "inverted" not in row["flag"]), key=lambda row: row["source"]
        )
    hits = false_alarms = refused = 0
    for row in rows[::10]:
        with Image.open(folder / row["file"]) as image:
            pixels = np.asarray(image.convert("L"))
        upright = check(None, pixels)
        false_alarms += "inverted" in upright.reasons
        refused += upright.verdict is Verdict.REJECTED
        hits += "inverted" in check(None, 255 - pixels).reasons
    n = len(rows[::10])

    assert n > 700
    assert hits / n >= 0.995
    assert false_alarms / n <= 0.005
    assert refused == 0
