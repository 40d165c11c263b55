"""Boxes on images: matched by published name, overlapping as areas do, controls that never looked."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.imaging.geometry import Box
from models.imaging.preprocess import InputContract
from training.data.boxes import LabelledBox, read_boxes
from training.data.dataset import DataError, Dataset, Row
from training.data.manifest import read_folder, read_manifest
from training.evaluation.boxed import cases_of, overlap, published_names, square_input
from training.evaluation.control_boxes import centred_box, mean_size, random_boxes, usual_box

unit = st.floats(0, 1)
boxes = st.tuples(unit, unit, unit, unit).map(
    lambda edges: Box(min(edges[:2]), min(edges[2:]), max(edges[:2]), max(edges[2:]))
)


def row(file: str) -> Row:
    """An image of nobody in particular."""
    return Row(Path(file), frozenset(), frozenset(), "p")


def labelled(file: str, finding: str = "Mass", box: Box = Box(0.1, 0.1, 0.3, 0.5)) -> LabelledBox:  # noqa: B008  # frozen
    """A box on a published image."""
    return LabelledBox(file, finding, box)


class TestOverlap:
    @given(boxes, boxes)
    def test_is_symmetric_and_a_share(self, one, other):
        """Between 0 and 1, whichever comes first."""
        assert 0 <= overlap(one, other) == overlap(other, one) <= 1

    @given(boxes)
    def test_of_a_box_with_itself_is_1(self, box):
        """Unless it is empty, and overlaps nothing."""
        assert float(box.area > 0) == pytest.approx(overlap(box, box))

    def test_is_shared_area_over_united_area(self):
        """Two squares of 4 that share 1: 1 / 7."""
        assert 1 / 7 == overlap(Box(0, 0, 2, 2), Box(1, 1, 3, 3))

    def test_of_boxes_that_touch_is_0(self):
        """They share an edge, and no area."""
        assert 0.0 == overlap(Box(0, 0, 1, 1), Box(0, 1, 1, 2))


class TestCases:
    def test_are_matched_by_published_name(self):
        """That of the manifest where it says one, else the file's own; other boxes are not at hand."""
        rows = [row("a/renamed.jpg"), row("a/00000002_000.png")]
        names = {Path("a/renamed.jpg"): "00000001_000.png"}
        known = [labelled(f"0000000{patient}_000.png") for patient in (3, 2, 1)]

        cases = cases_of(rows, names, known)

        assert [(rows[1], known[1]), (rows[0], known[2])] == [(case.row, case.label) for case in cases]

    def test_of_one_image_are_as_many_as_its_boxes(self):
        """Each finding is looked for on its own."""
        found = cases_of([row("x.png")], {}, [labelled("x.png"), labelled("x.png", "Nodule")])

        assert ["Mass", "Nodule"] == [case.label.finding for case in found]

    def test_refuse_an_image_that_is_there_twice(self):
        """Its boxes would count twice, or for one of the two by chance."""
        with pytest.raises(DataError, match=r"b/x\.png and a/x\.png are both x\.png"):
            cases_of([row("a/x.png"), row("b/x.png")], {}, [])

    def test_names_come_from_the_manifest(self, tmp_path):
        """Rows of other sources have none."""
        (tmp_path / "manifest.csv").write_text("file,label,nih_index\na.jpg,Mass,00000001_000.png\nb.jpg,Mass,\n")

        assert {tmp_path / "a.jpg": "00000001_000.png"} == published_names(read_folder(tmp_path))
        assert {} == published_names(Dataset("chestxray14", (), ()))

    def test_of_the_published_boxes_are_found_by_their_names(self, shared):
        """Pictures of another name and size, whose manifest says which ones they are."""
        manifest = shared / "data" / "cxr" / "manifest.csv"
        known = read_boxes(shared / "data" / "cxr" / "labels" / "BBox_List_2017.csv")

        cases = cases_of(read_manifest(manifest), published_names(read_folder(manifest)), known)

        assert (47, True) == (len(cases), all(case.row.has_box for case in cases))
        assert all(case.label.finding in case.row.labels for case in cases)


class TestSquareInput:
    def test_is_laid_out_as_the_model_wants(self, tmp_path):
        """A smaller version of the published picture will do."""
        Image.fromarray(np.full((64, 64), 9, np.uint8)).save(tmp_path / "a.png")

        placement = square_input(tmp_path / "a.png", InputContract(32)).letterbox

        assert (32, 64) == (placement.side, placement.height)

    def test_refuses_a_picture_that_was_cut(self, tmp_path):
        """Shares of the whole picture say nothing of a part."""
        Image.fromarray(np.zeros((64, 48), np.uint8)).save(tmp_path / "a.png")

        with pytest.raises(DataError, match=r"a\.png: 64 x 48 pixels"):
            square_input(tmp_path / "a.png", InputContract(32))

    def test_names_a_file_that_does_not_decode(self, tmp_path):
        """Or that is not there."""
        with pytest.raises(DataError, match=r"a\.png"):
            square_input(tmp_path / "a.png", InputContract(32))


class TestControls:
    def test_mean_size_is_that_of_other_patients(self):
        """Of the same finding; another image of the same patient does not count either."""
        own = labelled("1_000.png", box=Box(0, 0, 1, 1))
        known = [
            own,
            labelled("1_001.png", box=Box(0, 0, 0.9, 0.9)),
            labelled("2_000.png", box=Box(0, 0, 0.2, 0.4)),
            labelled("3_000.png", box=Box(0.5, 0.5, 0.9, 0.7)),
            labelled("4_000.png", "Nodule"),
        ]

        assert (0.3, 0.3) == pytest.approx(mean_size(own, known))

    def test_the_usual_box_is_one_of_another_patient(self):
        """Two more images of the same patient would outvote it, and one of them would be drawn."""
        own, corner = labelled("1_000.png"), Box(0, 0, 0.2, 0.2)
        known = [own, labelled("1_001.png"), labelled("1_002.png"), labelled("2_000.png", box=corner)]

        assert corner == usual_box(own, known)

    @pytest.mark.parametrize("control", [mean_size, usual_box])
    def test_a_finding_nobody_else_has_gives_nothing_to_go_by(self, control):
        """There is no control then."""
        assert control(labelled("1_000.png"), [labelled("1_000.png"), labelled("1_001.png")]) is None

    def test_the_centred_box_is_in_the_middle(self):
        """With the size that was asked for."""
        box = centred_box((0.2, 0.4))

        assert (0.4, 0.3, 0.6, 0.7) == pytest.approx((box.top, box.left, box.bottom, box.right))

    def test_random_boxes_stay_inside_and_reach_every_place(self):
        """All of one size; corners from one end to the other."""
        drawn = random_boxes((0.2, 0.4), 500, np.random.default_rng(0))

        tops, lefts = np.array([(box.top, box.left) for box in drawn]).T
        assert (0.8, 0.6) == pytest.approx((tops.max(), lefts.max()), abs=0.02)
        assert (0, 0) == pytest.approx((tops.min(), lefts.min()), abs=0.02)
        assert max(box.bottom for box in drawn) <= 1
        assert 0.08 == pytest.approx(np.mean([box.area for box in drawn]))
