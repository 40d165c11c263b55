"""AUROC: agrees with scikit-learn, undefined stays undefined, intervals resample patients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from tests.training.evaluation.samples import LABELS_AND_SCORES
from training.metrics import auroc, auroc_report

ROUNDING = 1e-12  # two ways to add up the same pairs in float64

finite = st.floats(-(2.0**60), 2.0**60, width=32)


@given(LABELS_AND_SCORES)
def test_auroc__is_scikit_learns_or_undefined(pair):
    """Ties included."""
    labels, scores = pair

    value = auroc(labels, scores)

    if len(set(labels.tolist())) < 2:
        assert value is None
    else:
        assert roc_auc_score(labels, scores) == pytest.approx(value, abs=ROUNDING)


@given(
    st.integers(2, 30).flatmap(
        lambda n: st.tuples(arrays(np.bool_, n), arrays(np.float32, n, elements=finite | st.sampled_from([0.0, 1.0])))
    )
)
def test_auroc__is_the_share_of_pairs_in_order(pair):
    """The definition: a positive above a negative counts 1, a tie one half, over all pairs, at any magnitude."""
    labels, scores = pair
    pairs = [(p > n) + (p == n) / 2 for p in scores[labels] for n in scores[~labels]]

    value = auroc(labels, scores)

    assert (np.mean(pairs) if pairs else None) == (value if value is None else pytest.approx(value, abs=ROUNDING))


@given(LABELS_AND_SCORES)
def test_auroc__of_the_opposite_question_is_the_complement(pair):
    """AUROC(y, s) = 1 - AUROC(not y, s)."""
    labels, scores = pair
    value = auroc(labels, scores)

    if value is not None:
        assert auroc(~labels, scores) == pytest.approx(1 - value, abs=ROUNDING)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_auroc__compares_scores_of_any_precision_as_they_are(dtype):
    """Neighbouring numbers of the type differ, however narrow it is."""
    low = dtype(1000)
    scores = np.array([low, np.nextafter(low, dtype(2000))])

    assert 1.0 == auroc(np.array([False, True]), scores)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_auroc__refuses_a_score_that_is_no_number(broken):
    """scikit-learn refuses it, too; a rank for it would be made up."""
    with pytest.raises(ValueError, match="1 of 3 scores are NaN or infinite"):
        auroc(np.array([True, False, True]), np.array([0.0, broken, 1.0]))


def test_auroc__refuses_lists_of_two_lengths():
    """Broadcasting would score something else."""
    with pytest.raises(ValueError, match="one length"):
        auroc(np.array([True, False]), np.array([0.5]))


class TestReport:
    def test_an_undefined_finding_is_named_and_left_out_of_the_mean(self):
        """Never 0, and never dropped silently."""
        labels = np.array([[1, 0], [0, 0], [1, 0], [0, np.nan]], np.float32)
        scores = np.array([[3, 1], [1, 2], [2, 3], [0, 4]], np.float32)

        report = auroc_report(("A", "B"), labels, scores, list("wxyz"), num_resamples=50)

        assert (1.0, None) == (report.findings[0].value, report.findings[1].value)
        assert (0, 3) == (report.findings[1].positives, report.findings[1].negatives)
        assert 1 == report.num_defined
        assert 1.0 == report.mean

    def test_unknown_labels_take_no_part(self):
        """A NaN label would otherwise count as negative."""
        labels = np.array([[1], [np.nan], [0]], np.float32)
        scores = np.array([[1.0], [9.0], [0.0]], np.float32)

        assert 1.0 == auroc_report(("A",), labels, scores, list("abc"), num_resamples=10).mean

    def test_a_broken_score_names_its_finding(self):
        """Fourteen columns, and one of them overflowed."""
        labels = np.array([[1, 1], [0, 0]], np.float32)
        scores = np.array([[0.1, np.nan], [0.2, 0.3]], np.float32)

        with pytest.raises(ValueError, match=r"^B: 1 of 2"):
            auroc_report(("A", "B"), labels, scores, list("xy"), num_resamples=1)

    def test_a_score_without_a_label_may_be_anything(self):
        """It takes no part."""
        labels = np.array([[1], [np.nan], [0]], np.float32)
        scores = np.array([[1.0], [np.nan], [0.0]], np.float32)

        assert 1.0 == auroc_report(("A",), labels, scores, list("abc"), num_resamples=10).mean

    def test_no_image_leaves_everything_undefined(self):
        """An empty subgroup is a row of the table, not a crash."""
        report = auroc_report(("A",), np.empty((0, 1)), np.empty((0, 1)), [])

        assert (None, None, 0) == (report.mean, report.findings[0].value, report.num_defined)

    def test_the_interval_holds_the_point_and_narrows_with_more_patients(self):
        """A bootstrap that did not resample would have no width."""
        generator = np.random.default_rng(0)

        def width(num_patients: int) -> float:
            labels = generator.integers(0, 2, (num_patients, 1)).astype(np.float32)
            scores = (labels + generator.normal(0, 2, labels.shape)).astype(np.float32)
            report = auroc_report(("A",), labels, scores, [str(i) for i in range(num_patients)], num_resamples=200)
            assert report.low <= report.mean <= report.high
            return report.high - report.low

        assert width(2000) < 0.5 * width(60)

    def test_images_of_one_patient_are_drawn_together(self):
        """Ten copies of each image say no more than one: the interval must not shrink."""
        generator = np.random.default_rng(1)
        labels = generator.integers(0, 2, (60, 1)).astype(np.float32)
        scores = (labels + generator.normal(0, 2, labels.shape)).astype(np.float32)
        patients = [str(i) for i in range(60)]

        single = auroc_report(("A",), labels, scores, patients, num_resamples=200)
        copied = auroc_report(
            ("A",), labels.repeat(10, 0), scores.repeat(10, 0), np.repeat(patients, 10).tolist(), num_resamples=200
        )

        assert copied.high - copied.low == pytest.approx(single.high - single.low, rel=0.25)
