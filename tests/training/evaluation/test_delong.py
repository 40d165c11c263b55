"""DeLong: mid-ranks give what all pairs give; the test is right under the null and sees a difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from tests.training.evaluation.samples import LABELS_AND_SCORES
from training.evaluation.bootstrap import Resampling, auroc_draws
from training.evaluation.delong import delong_test, structural_components
from training.metrics import auroc

ROUNDING = 1e-12  # sums of ranks against sums of pairs in float64


def components_of_all_pairs(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The definition, O(mn): for each positive its mean over the negatives, for each negative over the positives."""
    difference = scores[labels][:, None] - scores[~labels][None, :]
    wins = (difference > 0) + (difference == 0) / 2
    return wins.mean(axis=1), wins.mean(axis=0)


@given(LABELS_AND_SCORES)
def test_structural_components__are_those_of_all_pairs(pair):
    """Ties included."""
    labels, scores = pair
    if labels.all() or not labels.any():
        return

    fast = structural_components(labels, scores[None])

    slow = components_of_all_pairs(labels, scores)
    assert slow[0] == pytest.approx(fast.positives[0], abs=ROUNDING)
    assert slow[1] == pytest.approx(fast.negatives[0], abs=ROUNDING)
    assert auroc(labels, scores) == pytest.approx(fast.positives.mean(), abs=ROUNDING)


@given(st.integers(0, 10_000))
def test_delong_test__has_the_variance_of_the_covariance_matrix(seed):
    """var(a - b) = var(a) + var(b) - 2 cov(a, b)."""
    generator = np.random.default_rng(seed)
    labels = np.array([True] * 5 + [False] * 9)
    scores = generator.integers(0, 6, (2, 14)).astype(np.float32)
    pairs = [components_of_all_pairs(labels, row) for row in scores]
    covariance = sum(np.cov([pair[kind] for pair in pairs]) / count for kind, count in enumerate((5, 9)))

    tested = delong_test(labels, *scores)

    assert np.array([1, -1]) @ covariance @ np.array([1, -1]) == pytest.approx(tested.standard_error**2, abs=ROUNDING)


def test_delong_test__has_about_the_error_that_the_bootstrap_finds():
    """Two ways to the same error, one of them without a formula."""
    generator = np.random.default_rng(0)
    labels = generator.random(400) < 0.3
    scores = labels + generator.normal(0, 1, (2, 400))
    resampling = Resampling.by_patient([str(i) for i in range(400)], 500, seed=0)
    one, other = (auroc_draws(labels[:, None].astype(np.float32), row[:, None], resampling) for row in scores)

    assert (one - other).std() == pytest.approx(delong_test(labels, *scores).standard_error, rel=0.12)


class TestDelongTest:
    def test_p_is_uniform_where_models_are_equally_good(self):
        """300 data sets, two scores that differ by noise alone, strongly correlated, on 160 images."""
        generator = np.random.default_rng(0)
        tests = []
        for _ in range(300):
            labels = generator.random(160) < 0.3
            shared = labels + generator.normal(0, 1, 160)
            tests.append(delong_test(labels, *(shared + generator.normal(0, 0.7, (2, 160)))))

        assert kstest([test.p_value for test in tests], "uniform").pvalue > 0.01
        assert 0.91 <= np.mean([test.low <= 0 <= test.high for test in tests]) <= 0.985  # 0.95, 3 deviations

    def test_a_better_model_is_seen(self):
        """With its sign, and with an interval that leaves 0 out."""
        generator = np.random.default_rng(0)
        labels = generator.random(500) < 0.3
        good, poor = labels + generator.normal(0, 0.5, 500), labels + generator.normal(0, 2.0, 500)

        tested = delong_test(labels, good, poor)

        assert tested.difference == auroc(labels, good) - auroc(labels, poor) > 0
        assert tested.p_value < 0.001
        assert 0 < tested.low < tested.difference < tested.high

    @given(LABELS_AND_SCORES)
    def test_the_other_way_round_is_the_opposite(self, pair):
        """Nothing prefers the first model."""
        labels, scores = pair
        other = np.roll(scores, 1)
        one, two = delong_test(labels, scores, other), delong_test(labels, other, scores)

        if one is None or one.z is None:
            assert two is None or two.z is None
        else:
            assert (one.difference, one.z) == pytest.approx((-two.difference, -two.z), abs=ROUNDING)
            assert one.p_value == pytest.approx(two.p_value, abs=ROUNDING)

    def test_one_kind_of_label_leaves_it_undefined(self):
        """As it does AUROC."""
        assert delong_test(np.array([True, True]), np.array([1, 2]), np.array([2, 1])) is None

    def test_a_single_positive_has_a_difference_but_no_error(self):
        """One positive shows no variance between positives."""
        tested = delong_test(np.array([True, False, False]), np.array([3, 1, 2]), np.array([1, 2, 3]))

        assert (1.0, None, None) == (tested.difference, tested.standard_error, tested.p_value)

    def test_a_sample_in_which_nothing_varies_says_nothing(self):
        """All right against all wrong on four images: no p value of 0 comes out of an error of 0."""
        labels = np.array([True, True, False, False])

        tested = delong_test(labels, np.array([3, 3, 1, 1]), np.array([1, 1, 3, 3]))

        assert (1.0, 0.0, None, None) == (tested.difference, tested.standard_error, tested.p_value, tested.low)
