"""Exclusive classes: scikit-learn's numbers, merging as the official code of COVIDx does, nothing divided by 0."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import accuracy_score, confusion_matrix, precision_score, recall_score, roc_auc_score

from training.data.covidx import CLASSES
from training.evaluation.bootstrap import Resampling
from training.evaluation.exclusive import COVIDX_MERGE, exclusive_report


def resampling(num: int) -> Resampling:
    """Every image another patient."""
    return Resampling.by_patient([str(i) for i in range(num)], 20, seed=0)


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_exclusive_report__is_scikit_learns(seed):
    """Without merging, with every class present."""
    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(3), generator.integers(0, 3, 30)])
    logits = np.eye(3)[labels] + generator.normal(0, 1, (33, 3))

    report = exclusive_report(("a", "b", "c"), labels, logits, resampling(33))

    said = logits.argmax(axis=1)
    assert accuracy_score(labels, said) == pytest.approx(report.accuracy)
    assert report.accuracy == report.unmerged_accuracy
    assert confusion_matrix(labels, said).tolist() == report.confusion.tolist()
    assert recall_score(labels, said, average=None) == pytest.approx([part.sensitivity for part in report.classes])
    precision = precision_score(labels, said, average=None, zero_division=np.nan)
    assert precision == pytest.approx([np.nan if p.ppv is None else p.ppv for p in report.classes], nan_ok=True)
    for place, part in enumerate(report.classes):
        assert roc_auc_score(labels == place, softmax(logits, axis=1)[:, place]) == pytest.approx(part.auroc)


class TestMerging:
    logits = np.array([[3.0, 0, 0, 0], [0, 3, 2, 0], [0, 0, 3, 0], [0, 0, 0, 3], [0, 0, 3, 1]])
    labels = np.array([0, 2, 2, 3, 3])  # a pneumonia is called "positive", a COVID-19 pneumonia

    def report(self):
        """Of the five images, as the official code counts them."""
        return exclusive_report(CLASSES, self.labels, self.logits, resampling(5), COVIDX_MERGE)

    def test_positive_counts_as_pneumonia(self):
        """2 becomes 1 and 3 becomes 2, as in the official code, for sensitivity and PPV."""
        report = self.report()

        assert ["normal", "pneumonia", "COVID-19"] == [part.name for part in report.classes]
        assert [[1, 0, 0], [0, 2, 0], [0, 1, 1]] == report.confusion.tolist()
        assert [1.0, 1.0, 0.5] == [part.sensitivity for part in report.classes]
        assert [1.0, 2 / 3, 1.0] == [part.ppv for part in report.classes]

    def test_both_accuracies_are_told_apart(self):
        """The official code's is that of the four-way argmax: lower by the image called "positive"."""
        report = self.report()

        assert (4 / 5, 3 / 5) == (report.accuracy, report.unmerged_accuracy)

    def test_probabilities_of_merged_classes_are_added(self):
        """AUROC of pneumonia is that of p(positive) + p(pneumonia)."""
        added = softmax(self.logits, axis=1)[:, 1:3].sum(axis=1)

        assert roc_auc_score(self.labels == 2, added) == self.report().classes[1].auroc

    def test_a_class_that_is_not_there_is_named(self):
        """A typing mistake would otherwise merge nothing."""
        with pytest.raises(ValueError, match="'covid' is none of"):
            exclusive_report(CLASSES, self.labels, self.logits, resampling(5), {"covid": "COVID-19"})


def test_exclusive_report__says_what_it_cannot_say():
    """Nobody is of class b, and nobody is said to be of class c."""
    report = exclusive_report(
        ("a", "b", "c"), np.array([0, 0, 2]), np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]]), resampling(3)
    )

    assert (None, None) == (report.classes[1].sensitivity, report.classes[1].sensitivity_interval)
    assert (None, None) == (report.classes[2].ppv, report.classes[2].ppv_interval)
    assert report.classes[1].auroc is None


def test_exclusive_report__gives_each_share_its_own_interval():
    """Half of class a is taken for b: a's sensitivity and b's predictive value vary, the others are always 1."""
    labels, said = np.repeat([0, 1], 10), np.repeat([0, 1, 1, 1], 5)

    first, second = exclusive_report(("a", "b"), labels, np.eye(2)[said], resampling(20)).classes

    assert (None, None) == (first.ppv_interval, second.sensitivity_interval)
    assert first.sensitivity_interval.low < 1 / 2 < first.sensitivity_interval.high
    assert second.ppv_interval.low < 2 / 3 < second.ppv_interval.high


def test_exclusive_report__ranks_probabilities_that_round_to_1():
    """Logits of 40 and 50 above the rest are both probability 1 in float64; the order is still theirs."""
    report = exclusive_report(("a", "b"), np.array([0, 1]), np.array([[50.0, 0], [40, 0]]), resampling(2))

    assert 1.0 == report.classes[0].auroc


@pytest.mark.parametrize(("logits", "said"), [(np.empty((0, 2)), "no image"), (np.array([[np.nan, 0]]), "NaN")])
def test_exclusive_report__refuses(logits, said):
    """Nothing to score, or no numbers."""
    with pytest.raises(ValueError, match=said):
        exclusive_report(("a", "b"), np.zeros(len(logits), int), logits, resampling(1))
