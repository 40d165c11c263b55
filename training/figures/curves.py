"""ROC curves of all findings, and how far probabilities agree with what is observed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.labels import display_name
from models.runtime.calibration_error import expected_calibration_error
from training.evaluation.bootstrap import Resampling, interval
from training.evaluation.operating import roc_curve
from training.evaluation.scores import Scores
from training.figures.chart import begin, charts, curve, points, remark
from training.metrics import auroc_report

FREQUENT = 20  # positives that a finding needs for a diagram of its own
BINS, BINS_OF_A_FINDING = 10, 5
_COLUMNS = 5
_GRID = np.linspace(0, 1, 201)


@dataclass(frozen=True, slots=True)
class Scored:
    """A bundle's answers to labelled images.

    Attributes:
        title: of the bundle and the data.
        scores: of N images, with probabilities.
        labels: (N, F), NaN unknown, and in the columns of findings that were not trained.
        patients: N identifiers.
        num_resamples: bootstrap draws of patients.
        seed: of the bootstrap.
    """

    title: str
    scores: Scores
    labels: NDArray[np.float32]
    patients: Sequence[str]
    num_resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of image and finding with neighbouring probabilities.

    Attributes:
        probability: mean.
        num_present: of the pairs, how many have the finding.
        num: of pairs.
        interval: of the observed share, 95 %, bootstrap over patients; the share itself, twice, without spread.
    """

    probability: float
    num_present: int
    num: int
    interval: tuple[float, float]

    @property
    def observed(self) -> float:
        """Share of the pairs that have the finding."""
        return self.num_present / self.num


def draw_roc(scored: Scored) -> Figure:
    """A panel for each finding, then the mean over findings of the sensitivity at each specificity."""
    scores = scored.scores
    report = auroc_report(
        scores.findings, scored.labels, scores.logits, scored.patients,
        num_resamples=scored.num_resamples, seed=scored.seed,
    )  # fmt: skip
    num_panels = len(scores.findings) + 1
    title = f"ROC, {len(scored.labels)} images of {len(set(scored.patients))} patients, 95 % intervals\n{scored.title}"
    figure, axes = charts(math.ceil(num_panels / _COLUMNS), _COLUMNS, title)
    names, mean = ("1 - specificity", "sensitivity"), []
    for index, row in enumerate(report.findings):
        panel = axes.flat[index]
        begin(panel, display_name(row.finding), names)
        if row.value is None:
            remark(panel, "undefined")
            continue
        known = ~np.isnan(scored.labels[:, index])
        x, y = roc_curve(scored.labels[known, index] == 1, scores.logits[known, index])
        mean.append(y[np.searchsorted(x, _GRID, side="right") - 1])
        curve(panel, x, y, f"{_auroc(row.value, row.low, row.high)}\n{row.positives} with, {row.negatives} without")
    last = axes.flat[num_panels - 1]
    begin(last, "Mean", names)
    if report.mean is None:
        remark(last, "undefined")
    else:
        legend = (
            f"{_auroc(report.mean, report.low, report.high)}\n{report.num_defined} of {len(scores.findings)} defined"
        )
        curve(last, np.concatenate([[0], _GRID]), np.concatenate([[0], np.mean(mean, axis=0)]), legend)
    return figure


def draw_calibration(scored: Scored) -> Figure:
    """Observed share against probability in equally filled bins: all findings pooled, then the frequent ones.

    Raises:
        ValueError: no image has both a label and a probability.
    """
    probabilities = _probabilities(scored)
    if (np.isnan(probabilities) | np.isnan(scored.labels)).all():
        raise ValueError("no image has both a label and a probability")
    present = np.nansum(scored.labels, axis=0)
    often = [index for index in np.argsort(-present, kind="stable").tolist() if present[index] >= FREQUENT][:_COLUMNS]
    columns = 1 + len(often)
    rows = math.ceil(columns / 3)
    title = f"Calibration, {len(scored.labels)} images: observed of all in a bin, 95 % intervals\n{scored.title}"
    figure, axes = charts(rows, min(columns, 3), title)
    everything = list(range(len(present)))
    for panel, which in zip(axes.flat, [everything, *([index] for index in often)], strict=False):
        name = "All findings pooled" if len(which) > 1 else display_name(scored.scores.findings[which[0]])
        begin(panel, name, ("calibrated probability", "observed share"), is_square_root=True)
        num_bins = BINS if len(which) > 1 else BINS_OF_A_FINDING
        bins = reliability(scored, which, num_bins)
        error = expected_calibration_error(probabilities[:, which], scored.labels[:, which])
        remark(panel, f"ECE {error:.3f}")
        points(
            panel,
            [one.probability for one in bins],
            [one.observed for one in bins],
            [one.interval for one in bins],
            [f"{one.num_present}/{one.num}" for one in bins],
        )
    return figure


def reliability(scored: Scored, columns: Sequence[int], num_bins: int) -> list[Bin]:
    """Equally filled bins over the pairs of some findings that have a label and a probability."""
    probabilities, labels = _probabilities(scored)[:, columns], scored.labels[:, columns]
    image, finding = np.nonzero(~(np.isnan(probabilities) | np.isnan(labels)))
    order = np.argsort(probabilities[image, finding], kind="stable")
    resampling = Resampling.by_patient(scored.patients, scored.num_resamples, scored.seed)
    bins = []
    for part in np.array_split(order, num_bins):
        if not len(part):
            continue
        present = labels[image[part], finding[part]]
        hits, counts = (
            np.bincount(image[part], weights, minlength=len(labels)).astype(np.float64)
            for weights in (present, np.ones(len(part)))
        )
        spread = interval(resampling.shares(hits[:, None], counts[:, None])[:, 0])
        observed = float(present.mean())
        ends = (observed, observed) if spread is None else (spread.low, spread.high)
        probability = float(probabilities[image[part], finding[part]].mean())
        bins.append(Bin(probability, int(present.sum()), len(part), ends))
    return bins


def _probabilities(scored: Scored) -> NDArray[np.float64]:
    if scored.scores.probabilities is None:
        raise ValueError("the model gives no probability")
    return scored.scores.probabilities


def _auroc(value: float, low: float | None, high: float | None) -> str:
    ends = "" if low is None or high is None else f"\n({low:.3f} to {high:.3f})"
    return f"AUROC {value:.3f}{ends}"
