"""A site's fit: what it may change, what it keeps, and that it is judged on images it did not see."""

import numpy as np
import pytest
from scipy.special import expit

from models.errors import InvalidRequestError
from models.runtime.calibration import calibrate
from service.calibration.held_out import deal_out
from service.calibration.report import site_report
from service.calibration.site_fit import KEPT, LEAST_IMAGES, OWN, POOLED, fit_site
from tests.tiny_bundle import write_tiny_bundle

FOLDS = 5
FINDINGS = ("Effusion", "Mass", "Hernia", "Edema")


@pytest.fixture
def manifest(tmp_path):
    """Four findings, the last one not trained; three sets."""
    return write_tiny_bundle(tmp_path, findings=FINDINGS, untrained=("Edema",), threshold_sets=True)


@pytest.fixture
def site():
    """Logits far too bold, many Effusions, 12 Masses, 3 Hernias; two images a patient."""
    generator = np.random.default_rng(5)
    logits = generator.normal(0, 4, (600, 4))
    labels = (generator.random(logits.shape) < expit(0.3 * logits - 1)).astype(float)
    for column, count in ((1, 12), (2, 3)):
        labels[np.flatnonzero(labels[:, column] == 1)[count:], column] = 0
    logits[:, 3] = np.nan
    patients = [f"p{number // 2}" for number in range(600)]
    return logits, labels, patients


def fit_all(manifest, site):
    logits, labels, patients = site
    return fit_site(manifest, logits, labels, patients, FOLDS)


class TestFit:
    def test_each_finding_is_fitted_as_its_positives_allow(self, manifest, site):
        """Own slope, pooled slope, or the bundle's numbers."""
        fit = fit_all(manifest, site)

        assert [OWN, POOLED, KEPT, KEPT] == [row.how for row in fit.findings]
        assert (600, 12, 300) == (fit.findings[1].num_images, fit.findings[1].num_positives, fit.num_patients)
        assert 0.3 == pytest.approx(fit.calibrations[0].slope, abs=0.05)
        assert [finding.calibration for finding in manifest.findings[2:]] == list(fit.calibrations[2:])
        assert 0 == fit.findings[3].num_images

    def test_what_is_kept_keeps_the_thresholds_of_the_same_set(self, manifest, site):
        """Of the bundle's default, where it has no set of that name."""
        fit = fit_all(manifest, site)
        named, default = manifest.with_thresholds("sensitive"), manifest

        assert named.findings[2].threshold == fit.thresholds["sensitive"][2]
        assert default.findings[2].threshold == fit.thresholds["balanced"][2]
        assert site[1][:, 0].mean() == fit.thresholds["balanced"][0]

    def test_the_promises_of_the_sets_hold_on_the_sites_images(self, manifest, site):
        """With the probabilities that the new bundle would answer."""
        logits, labels, patients = site
        fit = fit_site(manifest, logits, labels, patients, folds=5)
        probabilities = calibrate(np.nan_to_num(logits), fit.calibrations)
        for column in (0, 1):
            present, scores = labels[:, column] == 1, probabilities[:, column]
            assert (scores[present] >= fit.thresholds["sensitive"][column]).mean() >= 0.90
            assert (scores[~present] < fit.thresholds["specific"][column]).mean() >= 0.95

    def test_it_mends_a_bold_bundle(self, manifest, site):
        """ECE and Brier fall on images that the fit did not see, to about what chance leaves."""
        overall = fit_all(manifest, site).overall

        assert overall.after.error < overall.before.error / 3
        assert overall.after.brier < overall.before.brier
        assert overall.after.error < 2 * overall.by_chance

    def test_after_is_not_measured_on_the_fitted_rows(self, manifest):
        """Labels that are noise: a fit looks better on its own rows than on others; the report must not."""
        generator = np.random.default_rng(8)
        logits, labels = generator.normal(0, 1, (60, 4)), (generator.random((60, 4)) < 0.5).astype(float)
        fit = fit_site(manifest, logits, labels, [str(number) for number in range(60)], folds=5)
        inside = calibrate(logits, fit.calibrations)[:, :3]

        assert fit.overall.after.brier > np.mean((inside - labels[:, :3]) ** 2)

    def test_sensitivity_and_specificity_are_those_of_other_folds(self, manifest, site):
        """Near the promise where positives are many, and not by construction above it; undefined without labels."""
        fit = fit_all(manifest, site)
        effusion, edema = fit.findings[0], fit.findings[3]

        assert 0.90 == pytest.approx(effusion.sensitivity, abs=0.05)
        assert 0.95 == pytest.approx(effusion.specificity, abs=0.03)
        assert (None, None) == (edema.sensitivity, edema.specificity)

    def test_an_untrained_finding_is_kept_whatever_the_table_and_the_graph_say(self, manifest, site):
        """Its column carries nothing."""
        logits, labels, patients = site
        logits[:, 3] = logits[:, 0]
        edema = fit_site(manifest, logits, labels, patients, FOLDS).findings[3]

        assert (KEPT, 0) == (edema.how, edema.num_images)

    def test_a_finding_that_all_images_have_is_kept(self, manifest, site):
        """However many they are: nothing tells it from its absence."""
        logits, labels, patients = site
        labels[:, 2] = 1
        fit = fit_site(manifest, logits, labels, patients, FOLDS)

        assert (KEPT, 600) == (fit.findings[2].how, fit.findings[2].num_positives)

    def test_a_finding_of_one_patient_is_fitted_and_judged_by_the_bundles_numbers(self, manifest, site):
        """Outside that patient's fold nobody has it."""
        logits, labels, _ = site
        patients = [f"p{number // 2}" if labels[number, 1] == 0 else "p" for number in range(600)]
        fit = fit_site(manifest, logits, labels, patients, FOLDS)

        assert POOLED == fit.findings[1].how
        assert fit.findings[1].after is not None

    def test_as_few_images_and_patients_as_may_be_are_enough(self, manifest, site):
        """Fifty, of as many patients as there are folds."""
        logits, labels, _ = site
        chosen = np.concatenate([np.flatnonzero(labels[:, 0] == kind)[: LEAST_IMAGES // 2] for kind in (0, 1)])
        patients = [f"p{number % FOLDS}" for number in range(LEAST_IMAGES)]

        assert OWN == fit_site(manifest, logits[chosen], labels[chosen], patients, FOLDS).findings[0].how

    def test_a_label_that_is_unknown_counts_for_nothing(self, manifest, site):
        """Nor does an image without a score."""
        logits, labels, patients = site
        labels[400:, 0] = np.nan
        logits[300:400] = np.nan
        fit = fit_site(manifest, logits, labels, patients, folds=5)
        again = fit_site(manifest, logits[:300], labels[:300], patients[:300], folds=5)  # the same Effusions

        assert (300, 500) == (fit.findings[0].num_images, fit.findings[1].num_images)
        assert again.thresholds["balanced"][0] == fit.thresholds["balanced"][0]

    def test_the_report_names_every_finding_and_set(self, manifest, site):
        """As text and as Markdown: every row has as many cells as its header."""
        names = {finding.name: finding.display for finding in manifest.findings}
        text = site_report(fit_all(manifest, site), names, 5)
        rows = [line for line in text.splitlines() if line.startswith("|")]

        assert {10, 7} == {line.count("|") for line in rows}
        assert all(any(name in row for row in rows) for name in (*names.values(), "all 2 fitted"))
        assert "5 folds of 300 patients" in text


class TestFolds:
    def test_a_patient_stays_in_one_fold_and_rare_findings_are_spread(self):
        """Five positives of one finding, five folds: one each."""
        labels = np.zeros((100, 2))
        labels[40:50, 0], labels[:60, 1] = 1, 1
        patients = np.array([f"p{number // 2}" for number in range(100)])
        fold_of = deal_out(labels, patients, 5)

        assert np.array_equal(fold_of[::2], fold_of[1::2])
        assert [0, 1, 2, 3, 4] == sorted(fold_of[40:50:2])
        assert [20] * 5 == np.bincount(fold_of).tolist()


class TestRefused:
    def test_too_few_images_are_told_with_the_limit(self, manifest, site):
        """Whose labels and scores both count."""
        logits, labels, patients = site
        labels[LEAST_IMAGES - 1 :] = np.nan

        with pytest.raises(InvalidRequestError, match=r"49 images .* at least 50"):
            fit_site(manifest, logits, labels, patients, folds=5)

    def test_too_few_positives_are_told_with_the_limits(self, manifest, site):
        """Eleven in the one finding that could be fitted."""
        logits, labels, patients = site
        labels[:, 0] = 0

        with pytest.raises(InvalidRequestError, match=r"^12 positives .* from 5 .* from 20 .* need 20$"):
            fit_site(manifest, logits, labels, patients, folds=5)

    def test_too_few_patients_are_told(self, manifest, site):
        """No cross-validation without others to judge."""
        logits, labels, _ = site

        with pytest.raises(InvalidRequestError, match="2 patients are too few for 5 folds"):
            fit_site(manifest, logits, labels, ["a", "b"] * 300, folds=5)

    def test_scores_that_run_against_the_labels_are_told(self, manifest, site):
        """Perhaps the columns are swapped, or 0 means present there."""
        logits, labels, patients = site

        with pytest.raises(InvalidRequestError, match="run against the labels"):
            fit_site(manifest, -logits, labels, patients, folds=5)
