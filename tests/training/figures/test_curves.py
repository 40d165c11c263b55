"""Curves say what the numbers say."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given

from tests.training.evaluation.samples import LABELS_AND_SCORES, cohort
from training.evaluation.operating import roc_curve
from training.evaluation.scores import Scores
from training.figures.curves import FREQUENT, Scored, draw_calibration, draw_roc, reliability
from training.metrics import auroc, auroc_report

FINDINGS = ("Mass", "Nodule", "Hernia")


@pytest.fixture(name="scored", scope="module")
def _scored():
    """Some labels unknown, patients with several images, the third finding without any positive."""
    labels, logits, patients = cohort(np.random.Generator(np.random.PCG64(0)), num_patients=60)
    labels[:, 2] = np.where(np.isnan(labels[:, 2]), np.nan, 0)
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return Scored("a title", Scores(FINDINGS, logits, probabilities), labels, patients, num_resamples=50, seed=0)


@given(LABELS_AND_SCORES)
def test_the_area_under_the_curve_is_the_auroc(sample):
    """Ties included: they make the curve slanted, and count one half."""
    labels, scores = sample
    if labels.all() or not labels.any():
        return
    x, y = roc_curve(labels, scores)

    assert ([0, 0], [1, 1]) == ([x[0], y[0]], [x[-1], y[-1]])
    assert auroc(labels, scores) == pytest.approx(float(np.trapezoid(y, x)), abs=1e-12)


def test_every_finding_has_its_panel_and_legend(scored):
    """AUROC, interval and counts as the report has them; what is undefined says so."""
    report = auroc_report(FINDINGS, scored.labels, scored.scores.logits, scored.patients, num_resamples=50)

    mass, nodule, hernia, mean, *rest = draw_roc(scored).axes

    for panel, row in ((mass, report.findings[0]), (nodule, report.findings[1])):
        (text,) = (one.get_text() for one in panel.get_legend().get_texts())
        assert f"AUROC {row.value:.3f}\n({row.low:.3f} to {row.high:.3f})\n{row.positives} with" in text
    assert (None, ["undefined"]) == (hernia.get_legend(), [one.get_text() for one in hernia.texts])
    assert f"AUROC {report.mean:.3f}" in mean.get_legend().get_texts()[0].get_text()
    assert "2 of 3 defined" in mean.get_legend().get_texts()[0].get_text()
    assert not any(panel.axison for panel in rest)


def test_the_mean_curve_encloses_the_mean_auroc(scored):
    """To the width of its grid."""
    report = auroc_report(FINDINGS, scored.labels, scored.scores.logits, scored.patients, num_resamples=1)
    line = draw_roc(scored).axes[3].lines[-1]

    assert report.mean == pytest.approx(np.trapezoid(line.get_ydata(), line.get_xdata()), abs=0.02)


def test_bins_are_a_partition_of_what_is_known(scored):
    """Every pair with a label in one bin, equally filled, in order of probability."""
    bins = reliability(scored, [0, 1, 2], 10)

    assert int((~np.isnan(scored.labels)).sum()) == sum(one.num for one in bins)
    assert int(np.nansum(scored.labels)) == sum(one.num_present for one in bins)
    assert 1 >= max(one.num for one in bins) - min(one.num for one in bins)
    assert sorted(one.probability for one in bins) == [one.probability for one in bins]
    assert all(one.interval[0] <= one.observed <= one.interval[1] for one in bins)


def test_only_frequent_findings_have_a_diagram_of_their_own(scored):
    """Bins of a handful would be noise."""
    assert (scored.labels[:, :2] == 1).sum(axis=0).min() >= FREQUENT

    titles = [panel.get_title() for panel in draw_calibration(scored).axes if panel.axison]

    assert ("All findings pooled", {"Mass", "Nodule"}) == (titles[0], set(titles[1:]))


def test_counts_stand_at_the_points(scored):
    """Present of all, bin by bin."""
    panel = draw_calibration(scored).axes[0]

    bins = reliability(scored, [0, 1, 2], 10)
    said = {one.get_text() for one in panel.texts}
    assert {f"{one.num_present}/{one.num}" for one in bins} < said


def test_a_title_is_not_cut_off(scored):
    """On data with one panel it takes more lines."""
    rare = replace(scored, labels=np.where(np.arange(len(scored.labels))[:, None] < 30, scored.labels, np.nan))
    figure = draw_calibration(
        replace(rare, title="thorascope-with-a-name 0.8.0\nmanifest.csv, split val; research use only")
    )
    assert 1 == len(figure.axes)

    figure.savefig(BytesIO())

    (title,) = figure.texts
    extent = title.get_window_extent()
    assert 0 <= extent.x0 < extent.x1 <= figure.bbox.x1
    assert figure.axes[0].title.get_window_extent().y1 <= extent.y0 < extent.y1 <= figure.bbox.y1
