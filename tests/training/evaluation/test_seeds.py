"""Several networks a side: AUROCs are averaged, draws are paired, the spread over networks is told."""

import numpy as np
import pytest

from tests.training.evaluation.samples import cohort
from training.evaluation.bootstrap import Resampling, auroc_draws, interval
from training.evaluation.comparison import compare
from training.evaluation.scores import Scores
from training.evaluation.seeds import compare_seeds, seeds_json, seeds_lines
from training.metrics import auroc_report

FINDINGS = ("A", "B", "C")
FAST = {"num_resamples": 30, "seed": 0}


@pytest.fixture(name="sample", scope="module")
def _sample():
    """Labels, patients, and scores of three good networks and two bad ones."""
    labels, logits, patients = cohort(np.random.default_rng(0))
    noise = np.random.default_rng(1).normal(0, 1, (5, *logits.shape)).astype(np.float32)
    good = [Scores(FINDINGS, logits + one) for one in noise[:3]]
    return labels, patients, good, [Scores(FINDINGS, one) for one in noise[3:]]


@pytest.fixture(name="comparison", scope="module")
def _comparison(sample):
    labels, patients, good, bad = sample
    return compare_seeds(good, bad, labels, patients, **FAST)


def mean_of(scores, labels, patients) -> float:
    """Mean AUROC of one network."""
    return auroc_report(FINDINGS, labels, scores.logits, patients, **FAST).mean


def test_each_network_is_scored_by_itself(sample, comparison):
    """Value and interval are those of its own report; the mean is of AUROCs, not of logits."""
    labels, patients, good, _ = sample
    reports = [auroc_report(FINDINGS, labels, one.logits, patients, **FAST) for one in good]

    assert [(one.mean, one.low, one.high) for one in reports] == [
        pytest.approx((one.value, *one.interval)) for one in comparison.a.networks
    ]
    assert np.mean([one.mean for one in reports]) == pytest.approx(comparison.a.mean.value)
    assert np.std([one.mean for one in reports], ddof=1) == pytest.approx(comparison.a.deviation)


def test_the_difference_is_paired_over_all_networks(sample, comparison):
    """One set of draws; in each the mean over one side's networks minus the mean over the other's."""
    labels, patients, good, bad = sample
    resampling = Resampling.by_patient(patients, 30, seed=0)
    ours, theirs = (
        np.mean([auroc_draws(labels, one.logits, resampling).mean(axis=1) for one in side], axis=0)
        for side in (good, bad)
    )

    assert comparison.a.mean.value - comparison.b.mean.value == pytest.approx(comparison.difference.value)
    assert interval(ours - theirs) == pytest.approx(comparison.difference.interval)
    spreads = [np.var([mean_of(one, labels, patients) for one in side], ddof=1) / len(side) for side in (good, bad)]
    assert np.sqrt(sum(spreads)) == pytest.approx(comparison.seed_error)


def test_one_network_a_side_is_the_comparison_of_two(sample):
    """The same numbers; a single network has no spread."""
    labels, patients, good, bad = sample
    pair = compare(good[0], bad[0], labels, patients, **FAST)

    found = compare_seeds(good[:1], bad[:1], labels, patients, **FAST)

    assert (pair.mean_a - pair.mean_b, *pair.interval) == pytest.approx(
        (found.difference.value, *found.difference.interval)
    )
    assert (None, None, None) == (found.a.deviation, found.b.deviation, found.seed_error)


def test_one_side_alone_is_told_without_a_difference(sample):
    """Three seeds of one recipe."""
    labels, patients, good, _ = sample
    found = compare_seeds(good, [], labels, patients, **FAST)

    assert (None, None, None) == (found.b, found.difference, found.seed_error)
    text = "\n".join(seeds_lines(found, ["one", "two", "three"], []))
    assert "| mean of the 3 of A |" in text
    assert "A - B" not in text
    assert seeds_json(found)["b"] is None


def test_a_finding_that_one_network_was_not_trained_for_counts_in_none(sample):
    """A mean over other findings would be another number."""
    labels, patients, good, bad = sample
    chances = 1 / (1 + np.exp(-good[0].logits.astype(np.float64)))
    chances[:, 1] = np.nan

    found = compare_seeds([Scores(FINDINGS, good[0].logits, chances), good[1]], bad, labels, patients, **FAST)

    assert (2, 3) == (found.num_defined, found.num_findings)
    kept = auroc_report(("A", "C"), labels[:, ::2], good[1].logits[:, ::2], patients, **FAST)
    assert kept.mean == pytest.approx(found.a.networks[1].value)


def test_what_is_undefined_has_no_number(sample):
    """Nobody has a finding."""
    labels, patients, good, bad = sample

    found = compare_seeds(good, bad, np.zeros_like(labels), patients, **FAST)

    assert (None, None, 0) == (found.a.mean.value, found.difference.value, found.num_defined)
    assert "undefined" in "\n".join(seeds_lines(found, list("abc"), list("de")))
