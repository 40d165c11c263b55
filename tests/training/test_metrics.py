"""AUROC: agrees with scikit-learn, undefined stays undefined, intervals resample patients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from training.metrics import auroc, auroc_report

scores_and_labels = st.integers(2, 40).flatmap(
    lambda n: st.tuples(arrays(np.bool_, n), arrays(np.float32, n, elements=st.integers(-3, 3).map(float)))
)


@given(scores_and_labels)
def test_auroc__is_scikit_learns_or_undefined(pair):
    """Few distinct scores, so ties are everywhere."""
    labels, scores = pair

    value = auroc(labels, scores)

    if len(set(labels.tolist())) < 2:
        assert value is None
    else:
        assert value == pytest.approx(roc_auc_score(labels, scores))


@given(scores_and_labels)
def test_auroc__of_the_opposite_question_is_the_complement(pair):
    """AUROC(y, s) = 1 - AUROC(not y, s)."""
    labels, scores = pair
    value = auroc(labels, scores)

    if value is not None:
        assert auroc(~labels, scores) == pytest.approx(1 - value)


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
