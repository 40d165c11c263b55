"""Metrics on scores that are known, and costs against the paper's column."""

import numpy as np
import pytest

from models.imaging.geometry import Box
from training.data.boxes import LabelledBox
from training.data.dataset import Dataset, Row
from training.evaluation.box_precision import Precision
from training.evaluation.boxed import Case
from training.evaluation.scores import Scores
from training.reproduction.contrasts import difference
from training.reproduction.judges import Judges
from training.reproduction.metrics import counted_of, measured_of
from training.reproduction.precision import Found, box_precision
from training.reproduction.smoke import table_of

FINDINGS = ("Mass", "Nodule")
CLASSES = ("normal", "positive", "pneumonia", "COVID-19")

# The paper rounds to millions, and to tenths of a giga; its 11.6 is four times the rounded 2.9.
PARAMETERS_TOLERANCE, MACS_TOLERANCE = 0.5, 0.1


class Known:
    """What `Tested` is to a metric, from scores that a test chose."""

    def __init__(self, dataset: Dataset, logits: list[list[float]]) -> None:
        self.judges = Judges(dataset, "test", dataset.rows)
        self.scores = Scores(dataset.findings, np.array(logits, np.float32))


def rows(*labels: set[str], known: tuple[str, ...]) -> tuple[Row, ...]:
    return tuple(
        Row(file=None, labels=frozenset(names), known=frozenset(known), patient=f"p{place}")
        for place, names in enumerate(labels)
    )


@pytest.fixture(name="findings")
def _findings() -> Dataset:
    """Mass on the first two of four, Nodule on nobody."""
    return Dataset("chestxray14", FINDINGS, rows({"Mass"}, {"Mass"}, set(), set(), known=FINDINGS))


@pytest.fixture(name="classes")
def _classes() -> Dataset:
    """One of each class that COVIDx has, and one COVID-19 more."""
    return Dataset(
        "covidx",
        CLASSES,
        rows({"normal"}, {"pneumonia"}, {"COVID-19"}, {"COVID-19"}, known=CLASSES),
        is_exclusive=True,
    )


class TestAuroc:
    def test_is_in_percent_over_the_defined_findings(self, findings):
        """Three of four pairs in order, and a note that says what the mean leaves out."""
        measured = measured_of("mean_auroc", Known(findings, [[3, 0], [1, 0], [2, 0], [0, 0]]))

        assert 75.0 == measured.value
        assert (4, "1 of 2 findings defined") == (measured.n, measured.note)

    def test_of_one_finding_is_its_own(self, findings):
        """By its name."""
        assert 75.0 == measured_of("auroc:Mass", Known(findings, [[3, 0], [1, 0], [2, 0], [0, 0]])).value

    def test_of_a_finding_that_nobody_has_is_undefined(self, findings):
        """No number stands in for it."""
        measured = measured_of("auroc:Nodule", Known(findings, [[0, 0]] * 4))

        assert None is measured.value
        assert "undefined" == measured.note


class TestClasses:
    def test_positive_counts_as_pneumonia(self, classes):
        """The paper tests three classes; its networks have four outputs."""
        logits = [[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 9], [9, 0, 0, 0]]

        assert 75.0 == measured_of("accuracy", Known(classes, logits)).value

    def test_sensitivity_is_over_those_who_have_it(self, classes):
        """One of two."""
        measured = measured_of("sensitivity:COVID-19", Known(classes, [[9, 0, 0, 0]] * 3 + [[0, 0, 0, 9]]))

        assert (50.0, 2) == (measured.value, measured.n)


class TestDifference:
    def test_is_the_first_minus_the_second(self, findings):
        """In percent points of the mean AUROC."""
        better, worse = Known(findings, [[3, 0], [2, 0], [1, 0], [0, 0]]), Known(findings, [[0, 0]] * 4)

        found = difference(("vit", better), ("cnn", worse))

        assert ("vit", "cnn", 50.0) == (found.first, found.second, found.value)

    def test_of_exclusive_classes_is_that_of_accuracies(self, classes):
        """A paired share of images."""
        right, wrong = [[9, 0, 0, 0], [0, 0, 9, 0], [0, 0, 0, 9], [0, 0, 0, 9]], [[9, 0, 0, 0]] * 4

        assert 75.0 == difference(("vit", Known(classes, right)), ("cnn", Known(classes, wrong))).value

    def test_between_other_images_is_none(self, findings, classes):
        """Numbers of two test sets are not subtracted."""
        assert None is difference(("vit", Known(findings, [[0, 0]] * 4)), ("cnn", Known(classes, [[0] * 4] * 4)))


def boxed(finding: str, patient: str) -> Case:
    """A box of a patient's, wherever it is."""
    row = Row(file=None, labels=frozenset(), known=frozenset(), patient=patient)
    return Case(row, LabelledBox("1.png", finding, Box(0, 0, 1, 1)))


class TestBoxPrecision:
    FOUND = Found(
        cases=tuple(boxed(name, f"p{place}") for place, name in enumerate(("Mass", "Mass", "Mass", "Nodule"))),
        overlaps=np.array([0.6, 0.3, np.nan, 0.1]),
    )

    @pytest.mark.parametrize(
        ("finding", "overlap", "expected"), [("Mass", 0.25, 1.0), ("Mass", 0.5, 0.5), (None, 0.25, 2 / 3)]
    )
    def test_is_over_the_boxes_that_were_drawn(self, finding, overlap, expected):
        """A flat map is neither hit nor miss, as in the paper's definition, and is counted beside."""
        precision, boxes, cases = box_precision(self.FOUND, finding, overlap)

        assert expected == precision.value
        assert boxes == cases - 1

    def test_of_flat_maps_alone_is_undefined(self):
        """Nothing divided by nothing."""
        flat = Found(self.FOUND.cases[:1], np.array([np.nan]))

        assert (Precision(None, None), 0, 1) == box_precision(flat, None, 0.25)

    def test_of_a_finding_without_boxes_is_undefined(self):
        """None at all."""
        assert (Precision(None, None), 0, 0) == box_precision(self.FOUND, "Effusion", 0.25)


@pytest.mark.parametrize("row", table_of("table5").rows, ids=lambda row: row.key)
def test_costs_are_those_of_table_5_without_any_training(row):
    """Counted on the recipe's network at the recipe's resolution."""
    parameters, macs, *_ = row.numbers
    counted = [counted_of(number.metric, row.recipe) for number in (parameters, macs)]

    assert parameters.paper == pytest.approx(counted[0].value, abs=PARAMETERS_TOLERANCE)
    assert macs.paper == pytest.approx(counted[1].value, abs=MACS_TOLERANCE)


def test_a_number_that_needs_data_is_not_counted():
    """Nothing is measured where nothing is at hand."""
    row = table_of("table5").rows[0]

    assert None is counted_of("accuracy", row.recipe)
