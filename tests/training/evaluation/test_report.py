"""A report: numbers of known labels alone, undefined and untrained findings in place, groups and models compared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.evaluation.samples import cohort
from training.data.dataset import DataError, Row
from training.evaluation.bootstrap import Resampling, auroc_draws, interval
from training.evaluation.comparison import compare
from training.evaluation.operating import Thresholds, operating_point
from training.evaluation.report import FindingsReport, findings_report
from training.evaluation.scores import Scores
from training.evaluation.subgroups import UNKNOWN, age_band, subgroup_reports
from training.evaluation.tuning import check_disjoint, youden_thresholds
from training.metrics import auroc, auroc_report

FINDINGS = ("A", "B", "C")
FAST = {"num_resamples": 20}


def row(patient: str, **properties) -> Row:
    """A row whose image nobody opens."""
    return Row(Path(f"{patient}.png"), frozenset(), frozenset(), patient, **properties)


def scores_of(logits: np.ndarray, *, untrained: int | None = None) -> Scores:
    """With probabilities; a column of them may be missing."""
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    if untrained is not None:
        probabilities[:, untrained] = np.nan
    return Scores(FINDINGS[: logits.shape[1]], logits, probabilities)


@pytest.fixture(name="sample")
def _sample() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, logits, patients."""
    return cohort(np.random.default_rng(0))


@pytest.fixture(name="report")
def _report(sample) -> FindingsReport:
    labels, logits, patients = sample
    return findings_report(scores_of(logits), labels, patients, None, **FAST)


class TestFindings:
    def test_counts_are_of_known_labels(self, sample, report):
        """Present, absent and unknown add up to all."""
        labels, _, patients = sample

        for index, finding in enumerate(report.findings):
            counts = finding.auroc.positives, finding.auroc.negatives, finding.unknown
            expected = [int((labels[:, index] == value).sum()) for value in (1, 0)]
            assert (*expected, len(labels) - sum(expected)) == counts
        assert (len(labels), len(set(patients))) == (report.num_images, report.num_patients)

    def test_auroc_is_that_of_the_metrics(self, sample, report):
        """The same draws, the same numbers."""
        labels, logits, patients = sample

        assert auroc_report(FINDINGS, labels, logits, patients, **FAST) == report.aurocs

    def test_another_seed_is_another_interval(self, sample, report):
        """Of the same number: the draws differ, the images do not."""
        labels, logits, patients = sample

        other = findings_report(scores_of(logits), labels, patients, None, seed=1, **FAST).aurocs

        assert report.aurocs.mean == other.mean
        assert (report.aurocs.low, report.aurocs.high) != (other.low, other.high)

    def test_a_perfectly_sure_model_has_no_error(self):
        """AUPRC 1, Brier 0, ECE 0, prevalence as it is."""
        labels = np.array([[1.0], [0], [0], [0]], np.float32)
        scores = Scores(("A",), labels * 99, labels.astype(np.float64))

        report = findings_report(scores, labels, list("abcd"), None, **FAST)

        finding = report.findings[0]
        assert (1.0, 0.0, 0.0, 0.25) == (
            finding.average_precision,
            finding.brier,
            finding.calibration_error,
            finding.prevalence,
        )
        assert (0.0, 0.0) == (report.brier, report.calibration_error)

    def test_a_network_without_calibration_has_no_calibration_error(self, sample):
        """None, not 0 and not that of a sigmoid nobody calibrated."""
        labels, logits, patients = sample

        report = findings_report(Scores(FINDINGS, logits), labels, patients, None, **FAST)

        assert {None} == {report.calibration_error, report.brier, *(part.brier for part in report.findings)}

    def test_an_untrained_finding_keeps_its_counts_and_has_no_number(self, sample):
        """Whatever its column says; the mean is over the others."""
        labels, logits, patients = sample

        report = findings_report(scores_of(logits, untrained=1), labels, patients, None, **FAST)

        finding = report.findings[1]
        assert (False, None, None, None) == (
            finding.is_trained,
            finding.auroc.value,
            finding.average_precision,
            finding.brier,
        )
        assert int((labels[:, 1] == 1).sum()) == finding.auroc.positives
        assert 2 == report.aurocs.num_defined
        assert np.mean([report.findings[i].auroc.value for i in (0, 2)]) == pytest.approx(report.aurocs.mean)

    def test_a_finding_nobody_has_is_undefined(self):
        """And an unknown one has no prevalence either."""
        labels = np.array([[0, np.nan], [0, np.nan]], np.float32)

        report = findings_report(scores_of(np.zeros((2, 2), np.float32)), labels, list("ab"), None, **FAST)

        assert [(None, None, 0.0), (None, None, None)] == [
            (part.auroc.value, part.average_precision, part.prevalence) for part in report.findings
        ]

    def test_thresholds_cut_what_they_were_made_for(self, sample):
        """Probabilities or logits; a finding without threshold has no operating point."""
        labels, logits, patients = sample
        on_logits = Thresholds(np.array([0.5, 0.5, np.nan]), on_probabilities=False, origin="elsewhere")

        report = findings_report(scores_of(logits), labels, patients, on_logits, **FAST)

        known = ~np.isnan(labels[:, 0])
        assert operating_point(labels[known, 0] == 1, logits[known, 0], 0.5) == report.findings[0].operating
        assert report.findings[2].operating is None

    def test_thresholds_of_probabilities_need_some(self, sample):
        """A logit is no probability."""
        labels, logits, patients = sample
        cuts = Thresholds(np.full(3, 0.5), on_probabilities=True, origin="elsewhere")

        with pytest.raises(ValueError, match="probabilities"):
            findings_report(Scores(FINDINGS, logits), labels, patients, cuts, **FAST)


class TestTuning:
    @pytest.mark.parametrize(("is_calibrated", "cut"), [(False, 3.0), (True, 3 / 8)])
    def test_thresholds_are_those_of_the_other_rows(self, is_calibrated, cut):
        """Of probabilities, where there are any: from the fourth on all have A. Nobody has B: no threshold."""
        rows = [
            Row(Path("x"), frozenset({"A"} if i > 2 else ()), frozenset({"A", "B"}), f"p{i}", split="train")
            for i in range(6)
        ]
        logits = np.tile(np.arange(6.0, dtype=np.float32)[:, None], 2)

        probabilities = logits.astype(np.float64) / 8 if is_calibrated else None

        cuts = youden_thresholds(rows, Scores(("A", "B"), logits, probabilities), "split train")

        assert (cut, True) == (cuts.values[0], bool(np.isnan(cuts.values[1])))
        assert (is_calibrated, "split train") == (cuts.on_probabilities, cuts.origin)

    def test_a_patient_who_would_choose_and_be_reported_is_refused(self):
        """A threshold that has seen the patient flatters, on whichever image it was."""
        other_image = replace(row("p1"), file=Path("p1_001.png"))

        with pytest.raises(DataError, match=r"1 patients would both choose .* such as p1"):
            check_disjoint([row("p0"), row("p1")], [other_image, row("p2")])


class TestSubgroups:
    def test_a_group_is_scored_alone(self):
        """As if there were nobody else."""
        labels, logits, patients = cohort(np.random.default_rng(0))
        rows = [row(patient, sex="FM"[int(patient[1:]) % 2]) for patient in patients]
        women = [place for place, one in enumerate(rows) if one.sex == "F"]

        groups = subgroup_reports(rows, scores_of(logits), labels, **FAST)

        alone = auroc_report(FINDINGS, labels[women], logits[women], [patients[i] for i in women], **FAST)
        assert [("sex", "F"), ("sex", "M")] == [(group.field, group.value) for group in groups]
        assert (alone, len(women)) == (groups[0].aurocs, groups[0].num_images)

    def test_an_untrained_finding_has_no_number(self):
        """As in the report of all images: its column of logits says nothing."""
        labels, logits, patients = cohort(np.random.default_rng(0))
        rows = [row(patient, sex="F") for patient in patients]

        (group,) = subgroup_reports(rows, scores_of(logits, untrained=1), labels, **FAST)

        assert [False, True, False] == [part.value is None for part in group.aurocs.findings]

    def test_images_that_do_not_say_are_a_group_of_their_own(self):
        """All groups of a field together are all images; fields nobody fills are left out."""
        rows = [row("a", view="PA"), row("b"), row("c", view="AP"), row("c", view="AP")]
        logits = np.zeros((4, 1), np.float32)

        groups = subgroup_reports(rows, scores_of(logits), np.zeros((4, 1), np.float32), **FAST)

        assert [("view", "AP", 2, 1), ("view", "PA", 1, 1), ("view", UNKNOWN, 1, 1)] == [
            (group.field, group.value, group.num_images, group.num_patients) for group in groups
        ]

    @pytest.mark.parametrize(
        ("age", "band"), [(None, ""), (0.5, "under 40"), (39.9, "under 40"), (40, "40 to 60"), (60, "40 to 60")]
    )
    def test_age_bands_meet_without_gap(self, age, band):
        """40 and 60 belong to the middle."""
        assert band == age_band(row("a", age_years=age))

    def test_ages_are_listed_in_their_order(self):
        """Not by the alphabet."""
        rows = [row(str(age), age_years=age) for age in (70, 50, 30)]

        groups = subgroup_reports(rows, scores_of(np.zeros((3, 1), np.float32)), np.zeros((3, 1), np.float32), **FAST)

        assert ["under 40", "40 to 60", "over 60"] == [group.value for group in groups]

    def test_a_handful_of_patients_is_a_small_group(self):
        """However many images they have."""
        labels, logits, _ = cohort(np.random.default_rng(0))
        rows = [row(str(place % 9), sex="F") for place in range(len(labels))]

        assert subgroup_reports(rows, scores_of(logits), labels, **FAST)[0].is_small


class TestComparison:
    def test_findings_are_matched_by_name(self):
        """The other model may have them in another order, and others besides."""
        labels, logits, patients = cohort(np.random.default_rng(0))
        other = Scores(("C", "X", "A"), np.stack([logits[:, 2], logits[:, 1], -logits[:, 0]], axis=1))

        comparison = compare(scores_of(logits), other, labels, patients, **FAST)

        assert ["A", "C"] == [part.finding for part in comparison.findings]
        known = ~np.isnan(labels[:, 0])
        value = auroc(labels[known, 0] == 1, logits[known, 0])
        assert 2 * value - 1 == pytest.approx(comparison.findings[0].delong.difference)
        assert 0.0 == comparison.findings[1].delong.difference

    def test_the_mean_is_over_findings_that_are_defined_in_both(self):
        """One that a model was not trained for counts in neither."""
        labels, logits, patients = cohort(np.random.default_rng(0))
        comparison = compare(scores_of(logits), scores_of(logits[:, ::-1], untrained=1), labels, patients, **FAST)

        assert [False, True, False] == [part.delong is None for part in comparison.findings]
        assert 2 == comparison.num_defined
        means = np.mean([[part.delong.auroc_a, part.delong.auroc_b] for part in comparison.findings[::2]], axis=0)
        assert means == pytest.approx([comparison.mean_a, comparison.mean_b])

    def test_intervals_are_those_of_paired_draws(self):
        """Of each finding's difference, and of the difference of the means."""
        labels, logits, patients = cohort(np.random.default_rng(0))
        noisy = logits + np.random.default_rng(1).normal(0, 1, logits.shape).astype(np.float32)

        comparison = compare(scores_of(logits), scores_of(noisy), labels, patients, **FAST)

        resampling = Resampling.by_patient(patients, FAST["num_resamples"], seed=0)
        differences = auroc_draws(labels, logits, resampling) - auroc_draws(labels, noisy, resampling)
        assert [interval(column) for column in differences.T] == [part.interval for part in comparison.findings]
        assert interval(differences.mean(axis=1)) == pytest.approx(comparison.interval)

    def test_a_model_against_itself_differs_by_nothing(self):
        """In no draw, because they are paired; and what never differs gets no interval."""
        labels, logits, patients = cohort(np.random.default_rng(0))

        comparison = compare(scores_of(logits), scores_of(logits), labels, patients, **FAST)

        assert {0.0} == {part.delong.difference for part in comparison.findings}
        assert {None} == {comparison.interval, *(part.interval for part in comparison.findings)}

    def test_models_of_other_things_are_refused(self):
        """There is nothing to compare."""
        logits = np.zeros((2, 1), np.float32)

        with pytest.raises(ValueError, match="share no finding: A and Z"):
            compare(Scores(("A",), logits), Scores(("Z",), logits), logits, list("ab"))


def test_means_of_rare_findings_have_intervals():
    """Three findings of two patients each: a draw lacks a given one in 14 %, and one of them in some 35 %."""
    labels = np.zeros((30, 3), np.float32)
    labels[np.arange(6), np.arange(6) // 2] = 1
    logits, noisy = np.random.default_rng(0).normal(0, 1, (2, 30, 3)).astype(np.float32)
    patients = [str(i) for i in range(30)]

    report = auroc_report(FINDINGS, labels, logits, patients, num_resamples=200)
    comparison = compare(scores_of(logits), scores_of(noisy), labels, patients, num_resamples=200)

    assert report.low < report.mean < report.high
    assert comparison.interval.low < comparison.mean_a - comparison.mean_b < comparison.interval.high
