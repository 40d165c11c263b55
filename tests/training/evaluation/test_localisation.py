"""Localisation: the paper's rule, in source space; thresholds from other patients; counts that add up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.imaging.geometry import Box
from models.imaging.preprocess import Geometry, InputContract, ModelInput, prepare
from models.labels import CHESTXRAY14
from tests.training.tiny import SIDE_PX, classifier, phantoms
from training.data.boxes import LabelledBox
from training.data.dataset import Row
from training.evaluation.box_precision import Precision
from training.evaluation.boxed import Case, in_model_space, overlap
from training.evaluation.localisation import leave_one_patient_out, overlaps, predicted_box
from training.evaluation.localisation_report import (
    CENTRED,
    JUDGED_BY,
    MODEL,
    RANDOM,
    USUAL,
    localisation_report,
)
from training.evaluation.maps import ClosedFormMaps, GradcamMaps
from training.evaluation.network_model import NetworkModel, View

MAP_TOLERANCE = 0.1  # two ways to scale a 2 x 2 grid to 32 pixels: Pillow's and OpenCV's, min-max before or after


def case(patient: int, finding: str, box: Box, file: Path = Path("nowhere")) -> Case:
    """A box of a patient."""
    row = Row(file, frozenset({finding}), frozenset({finding}), f"p{patient}")
    return Case(row, LabelledBox(f"{patient:08d}_000.png", finding, box))


class TestPredictedBox:
    @pytest.mark.parametrize("geometry", [*Geometry])
    @pytest.mark.parametrize("shape", [(100, 100), (60, 100), (100, 60)])
    def test_comes_back_to_source_space(self, geometry, shape):
        """A region lit where a box of the source lies gives that box, whatever the layout."""
        one = prepare(np.zeros(shape, np.uint8), InputContract(224, geometry))
        truth = Box(0.3, 0.4, 0.6, 0.7)
        box = in_model_space(truth, one.letterbox)
        scaled = np.zeros((224, 224), np.float32)
        scaled[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = 1

        assert overlap(predicted_box(scaled, one, 0.5), truth) > 0.95  # rounding to pixels of the model's square

    def test_is_round_the_largest_region(self):
        """The brighter one may be the smaller one."""
        scaled = np.zeros((100, 100), np.float32)
        scaled[0:10, 0:10], scaled[50:90, 50:70] = 1.0, 0.6
        one = prepare(np.zeros((100, 100), np.uint8), InputContract(100))

        assert Box(0.5, 0.5, 0.9, 0.7) == predicted_box(scaled, one, 0.5)
        assert Box(0, 0, 0.1, 0.1) == predicted_box(scaled, one, 0.8)

    def test_of_a_flat_map_is_none(self):
        """No evidence, no box."""
        one = prepare(np.zeros((10, 10), np.uint8), InputContract(10))

        assert predicted_box(np.zeros((10, 10), np.float32), one, 0.0) is None


class Oracle:
    """Lights the middle of every picture, and nothing in the second."""

    name = "oracle"

    def __init__(self) -> None:
        self.columns: list[int] = []

    def draw(self, inputs, columns):
        """See `MapSource`."""
        maps = np.zeros((len(inputs), 100, 100), np.float32)
        maps[:, 25:75, 25:75] = 0.5
        maps[1:2] = 0
        self.columns += columns
        return maps


def test_overlaps__look_at_the_finding_of_the_box(tmp_path):
    """IoU at every threshold; NaN where the map gives no box."""
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(tmp_path / "a.png")
    middle, half = Box(0.25, 0.25, 0.75, 0.75), Box(0.25, 0.25, 0.75, 0.5)
    cases = [case(i, name, box, tmp_path / "a.png") for i, (name, box) in enumerate([("B", half), ("A", middle)])]
    oracle = Oracle()

    found = overlaps(cases, ("A", "B"), InputContract(100), oracle, (0.2, 0.6))

    assert [1, 0] == oracle.columns
    assert [[0.5, pytest.approx(np.nan, nan_ok=True)], [pytest.approx(np.nan, nan_ok=True)] * 2] == found.tolist()


class TestLeaveOnePatientOut:
    found = np.array([[0.9, 0.1, 0.0], [0.1, 0.6, 0.0], [0.2, 0.7, np.nan], [0.0, 0.5, 0.1]])

    def test_chooses_what_is_best_on_the_others(self):
        """The first patient would like the first threshold, and does not get it."""
        assert [1, 1, 1, 1] == leave_one_patient_out(self.found, list("abcd")).tolist()

    def test_never_looks_at_the_patient_it_chooses_for(self):
        """Whatever the patient's own overlaps are, over all images."""
        chosen = leave_one_patient_out(self.found, list("aabc"))
        changed = self.found.copy()
        changed[:2] = [[0.0, 0.0, 1.0]] * 2

        assert chosen[:2].tolist() == leave_one_patient_out(changed, list("aabc"))[:2].tolist()

    def test_counts_no_box_as_an_overlap_of_0(self):
        """The second threshold draws one good box and no other: 0.7 / 2 on those who see it is less than 0.4."""
        found = np.array([[0.4, 0.7], [0.4, np.nan], [0.4, np.nan]])

        assert [0, 0, 0] == leave_one_patient_out(found, list("abc")).tolist()

    def test_gives_up_with_one_patient(self):
        """There is nobody else."""
        with pytest.raises(ValueError, match="only one"):
            leave_one_patient_out(self.found, list("aaaa"))


class TestReport:
    quarter = Box(0.25, 0.25, 0.75, 0.75)

    def report(self, found, cases=None):
        """Of masses in the middle of the picture, one a patient."""
        cases = cases or [case(i, "Mass", self.quarter) for i in range(len(found))]
        return localisation_report(cases, np.array(found), [one.label for one in cases], num_resamples=50)

    def test_precision_is_tp_over_tp_and_fp(self):
        """A true positive exceeds the IoU; a case without a box is neither, and counted."""
        model = self.report([0.9, 0.5, 0.26, 0.1, np.nan]).findings[-1].by[MODEL]

        assert 4 == model.boxes
        assert (3 / 4, 1 / 4) == (model.precision[0.25].value, model.precision[0.5].value)
        assert (0.9 + 0.5 + 0.26 + 0.1) / 5 == pytest.approx(model.mean_iou)

    def test_findings_come_alone_and_pooled(self):
        """With their numbers of boxes and patients, and the mean area."""
        cases = [case(1, "Mass", self.quarter), case(1, "Nodule", Box(0, 0, 0.1, 0.1)), case(2, "Mass", self.quarter)]

        report = self.report([1.0, 0.0, 0.3], cases)

        rows = [(row.finding, row.cases, row.patients, round(row.size, 9)) for row in report.findings]
        assert [("Mass", 2, 2, 0.25), ("Nodule", 1, 1, 0.01), (None, 3, 2, 0.17)] == rows
        assert [1.0, 0.0, 2 / 3] == [row.by[MODEL].precision[0.25].value for row in report.findings]

    def test_controls_are_judged_like_the_model(self):
        """Masses that all lie in the middle are found by the centred box, and sometimes by a random one."""
        by = self.report([0.0, 0.0, 0.3]).findings[-1].by

        assert (1.0, 3) == (by[CENTRED].precision[0.7].value, by[CENTRED].boxes)
        assert 0.1 < by[RANDOM].precision[0.25].value < 1.0

    def test_the_usual_box_lies_where_most_are_and_knows_no_other_finding(self):
        """Two masses agree, one lies elsewhere; a nodule of a single patient has no other to go by."""
        corner = Box(0.0, 0.0, 0.5, 0.5)
        places = [self.quarter, self.quarter, self.quarter, corner]
        cases = [case(i, "Mass", box) for i, box in enumerate(places)] + [case(9, "Nodule", corner)]

        report = self.report([0.0] * 5, cases)

        masses, nodule, everything = (row.by[USUAL] for row in report.findings)
        assert (4, 3 / 4, 3 / 4) == (masses.boxes, masses.precision[0.25].value, masses.precision[0.7].value)
        assert (0, 4) == (nodule.boxes, everything.boxes)
        assert -3 / 4 == report.advantage[USUAL][0.7].value

    def test_the_advantage_is_that_over_the_centred_box(self):
        """Paired over patients."""
        report = self.report([0.0, 0.3, 0.3, 0.3])

        assert 3 / 4 - 1 == report.advantage[CENTRED][0.25].value
        low, high = report.advantage[CENTRED][0.25].interval
        assert low < -0.25 < high <= 0

    def test_a_model_that_finds_what_a_control_finds_has_no_advantage(self):
        """In no draw, because they are paired; and what never differs gets no interval."""
        places = [self.quarter, self.quarter, self.quarter, Box(0.0, 0.0, 0.5, 0.5)]

        report = self.report([1.0, 1.0, 1.0, 0.0], [case(i, "Mass", box) for i, box in enumerate(places)])

        assert [Precision(0.0, None)] * 2 == [report.advantage[control][0.7] for control in JUDGED_BY]

    def test_what_all_draws_agree_on_has_no_interval(self):
        """No hit among three is no proof that there will be none."""
        assert self.report([0.0, 0.0, 0.0]).findings[-1].by[MODEL].precision[0.25].interval is None

    def test_a_model_that_draws_nothing_has_no_precision(self):
        """Neither 0 nor 1."""
        report = self.report([np.nan, np.nan])

        model = report.findings[-1].by[MODEL]
        assert (0, None, 0.0) == (model.boxes, model.precision[0.25].value, model.mean_iou)
        assert report.advantage[CENTRED][0.25].value is None

    def test_patients_are_drawn_not_boxes(self):
        """Ten boxes of each patient, all alike, say no more than one: no interval must shrink."""

        def widths(times: int) -> list[float]:
            cases = [case(i % 20, "Mass", self.quarter) for i in range(20 * times)]
            found = np.tile([0.9] * 10 + [0.0] * 10, times)
            report = self.report(found, cases)
            numbers = report.findings[-1].by[MODEL].precision[0.25], report.advantage[CENTRED][0.25]
            return [number.interval.high - number.interval.low for number in numbers]

        assert widths(1) == pytest.approx(widths(10))


class TestMapSources:
    @pytest.fixture(name="model")
    def _model(self) -> NetworkModel:
        return NetworkModel("tiny", classifier(), CHESTXRAY14, View(SIDE_PX))

    @pytest.fixture(name="inputs")
    def _inputs(self) -> list[ModelInput]:
        """A square picture and a wide one."""
        square, wide = phantoms(2, 64)
        return [prepare(square, InputContract(SIDE_PX)), prepare(wide[:40], InputContract(SIDE_PX))]

    def test_agree_with_each_other(self, model, inputs):
        """The closed form is Grad-CAM; only the order of scaling and resizing differs."""
        one, other = ClosedFormMaps(model).draw(inputs, [4, 7]), GradcamMaps(model).draw(inputs, [4, 7])

        assert one[0] == pytest.approx(other[0], abs=MAP_TOLERANCE)

    @pytest.mark.parametrize("source", [ClosedFormMaps, GradcamMaps])
    def test_are_scaled_over_the_picture_alone(self, model, inputs, source):
        """Padding is 0 and sets neither minimum nor maximum."""
        maps = source(model).draw(inputs, [4, 7])

        top, _, bottom, _ = inputs[1].letterbox.content
        assert (0, SIDE_PX) != (top, bottom)
        assert 0 == maps[1, :top].max() == maps[1, bottom:].max()
        assert (0, 1) == (maps[1, top:bottom].min(), maps[1, top:bottom].max())

    def test_leave_no_gradient_behind(self, model, inputs):
        """pytorch-grad-cam's hooks are gone, and the network can be scored again."""
        before = model.logits(np.stack([one.image for one in inputs]))
        GradcamMaps(model).draw(inputs, [4, 7])

        assert np.array_equal(before, model.logits(np.stack([one.image for one in inputs])))
        assert not any(module._forward_hooks for module in model.network.modules())
        assert torch.is_grad_enabled()
