"""Bootstrap: patients are drawn, the fast way is the slow way, differences are paired."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.evaluation.samples import cohort
from training.evaluation.bootstrap import Resampling, auroc_draws, interval, mean_draws
from training.metrics import auroc

ROUNDING = 1e-12  # two ways to add up the same pairs in float64


def known_auroc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """AUROC of one column over known labels."""
    known = ~np.isnan(labels)
    return auroc(labels[known] == 1, scores[known])


class TestResampling:
    def test_every_draw_has_as_many_patients_as_there_are(self):
        """With replacement: some patients more than once, others not at all."""
        resampling = Resampling.by_patient(list("aabbbcd"), 50, seed=0)

        assert (50, 4) == resampling.counts.shape
        assert {4} == set(resampling.counts.sum(axis=1).tolist())
        assert resampling.counts.max() > 1

    def test_images_of_a_patient_stay_together(self):
        """Each comes as often as the patient."""
        resampling = Resampling.by_patient(list("aabbbcd"), 20, seed=0)

        for draw in range(20):
            times = np.bincount(resampling.rows(draw), minlength=7)
            assert [True, True, True] == [len(set(times[part].tolist())) == 1 for part in ([0, 1], [2, 3, 4], [5])]

    def test_a_seed_is_a_result(self):
        """A report can be made again."""
        one, same, other = (Resampling.by_patient(list("abcdef"), 9, seed=seed).counts for seed in (3, 3, 4))

        assert (True, False) == (np.array_equal(one, same), np.array_equal(one, other))

    def test_a_share_is_that_of_the_drawn_images(self):
        """Sums over patients instead of over images, with the same result."""
        generator = np.random.default_rng(0)
        _, _, patients = cohort(generator)
        resampling = Resampling.by_patient(patients, 30, seed=0)
        hits = generator.integers(0, 2, (len(patients), 2)).astype(np.float64)

        shares = resampling.shares(hits, np.ones((len(patients), 1)))

        slow = np.array([hits[resampling.rows(draw)].mean(axis=0) for draw in range(30)])
        assert slow == pytest.approx(shares, abs=ROUNDING)

    def test_a_share_of_nothing_is_undefined(self):
        """A draw may hold no case at all."""
        resampling = Resampling(np.array([0, 1]), np.array([[2, 0], [1, 1]], np.int32))

        shares = resampling.shares(np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]]))

        assert [[True], [False]] == np.isnan(shares).tolist()


class TestAurocDraws:
    @given(st.integers(0, 10_000))
    @settings(max_examples=30)
    def test_are_those_of_scoring_every_draw_anew(self, seed):
        """Weights on ranks that were sorted once, against rows repeated and scored anew."""
        labels, scores, patients = cohort(np.random.default_rng(seed), num_patients=8)
        resampling = Resampling.by_patient(patients, 5, seed)

        fast = auroc_draws(labels, scores, resampling)

        slow = np.full(fast.shape, np.nan)
        for draw, finding in np.ndindex(fast.shape):
            rows = resampling.rows(draw)
            value = known_auroc(labels[rows, finding], scores[rows, finding])
            slow[draw, finding] = np.nan if value is None else value
        assert slow == pytest.approx(fast, abs=ROUNDING, nan_ok=True)

    def test_keep_undefined_apart(self):
        """A draw without positives is no draw with AUROC 0."""
        resampling = Resampling.by_patient(["a", "b"], 40, seed=0)

        draws = auroc_draws(np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]]), resampling)

        assert {0.0} == set(draws[~np.isnan(draws)].tolist())
        assert 0 < np.isnan(draws).sum() < 40

    def test_do_not_depend_on_how_many_are_made_at_once(self):
        """Memory is bounded by working on a block of draws at a time; 2000 draws of 400 images are several blocks."""
        labels, scores, patients = cohort(np.random.default_rng(0), num_patients=200, num_findings=1)
        resampling = Resampling.by_patient(patients, 2000, seed=0)
        first, rest = (Resampling(resampling.patient_of, part) for part in np.split(resampling.counts, [7]))

        parts = [auroc_draws(labels, scores, part) for part in (first, rest)]

        assert np.array_equal(np.concatenate(parts), auroc_draws(labels, scores, resampling))

    def test_of_two_models_are_paired(self):
        """Both see the same draws, so what they share cancels: the difference is narrower than either alone."""
        generator = np.random.default_rng(0)
        labels, scores, patients = cohort(generator, num_patients=200, num_findings=1)
        other = scores + generator.normal(0, 0.1, scores.shape).astype(np.float32)
        resampling = Resampling.by_patient(patients, 200, seed=0)
        one, two = auroc_draws(labels, scores, resampling), auroc_draws(labels, other, resampling)

        low, high = interval(one[:, 0] - two[:, 0])
        low_one, high_one = interval(one[:, 0])

        assert high - low < 0.5 * (high_one - low_one)

    def test_of_a_model_and_itself_do_not_differ(self):
        """Not by rounding either."""
        labels, scores, patients = cohort(np.random.default_rng(0))
        resampling = Resampling.by_patient(patients, 20, seed=0)

        difference = auroc_draws(labels, scores, resampling) - auroc_draws(labels, 2 * scores, resampling)

        assert 0.0 == np.nanmax(np.abs(difference))


class TestInterval:
    def test_leaves_undefined_draws_out(self):
        """The rest is taken as it is."""
        assert (2.5, 97.5) == pytest.approx(interval(np.concatenate([np.arange(101.0), [np.nan] * 30])))

    def test_has_the_level_that_was_asked_for(self):
        """0.9 is 5 to 95."""
        assert (5.0, 95.0) == pytest.approx(interval(np.arange(101.0), level=0.9))

    @pytest.mark.parametrize(
        "draws",
        [
            pytest.param([np.nan] * 4, id="never defined"),
            pytest.param([0.1, 0.2, np.nan, np.nan], id="defined in half of the draws"),
            pytest.param([0.0] * 4, id="the same in all draws"),
            pytest.param([], id="no draw at all"),
        ],
    )
    def test_is_none_where_draws_show_no_spread(self, draws):
        """It would be too narrow, and say so nowhere."""
        assert interval(np.array(draws)) is None

    def test_of_a_mean_may_rest_on_fewer_draws(self):
        """Because each must hold every finding."""
        draws = np.array([0.1, 0.2, np.nan, np.nan])

        assert interval(draws, least_defined=0.25) is not None

    @pytest.mark.parametrize(("num_positives", "is_there"), [(1, False), (2, True)])
    def test_of_an_auroc_takes_two_patients_of_a_kind(self, num_positives, is_there):
        """One positive shows no spread among positives; 37 % of the draws lose it, against 14 % for two."""
        labels = np.array([1.0] * num_positives + [0.0] * 30)[:, None]
        scores = np.random.default_rng(0).normal(0, 1, labels.shape)
        resampling = Resampling.by_patient([str(i) for i in range(len(labels))], 1000, seed=0)

        assert is_there == (interval(auroc_draws(labels, scores, resampling)[:, 0]) is not None)

    def test_covers_the_truth_as_often_as_it_says(self):
        """100 samples of 60 patients: the mean of a normal variable lies inside about 95 times."""
        generator = np.random.default_rng(0)
        inside = 0
        for seed in range(100):
            values = generator.normal(0, 1, (60, 1))
            shares = Resampling.by_patient([str(i) for i in range(60)], 200, seed).shares(values, np.ones((60, 1)))
            low, high = interval(shares[:, 0])
            inside += low <= 0 <= high

        assert 88 <= inside <= 99  # binomial, with the slight undercoverage of percentile intervals


def test_mean_draws__leave_out_a_draw_that_lost_a_finding():
    """Its mean would be over other findings than the point's."""
    draws = np.array([[0.5, 0.7, np.nan], [0.5, np.nan, np.nan]])

    means = mean_draws(draws, np.array([True, True, False]))

    assert [pytest.approx(0.6), True] == [means[0], bool(np.isnan(means[1]))]
