"""What a number of a table measures, by the name that its recipe gives it; shares in percent, as in the paper."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch

from models.labels import CHESTXRAY14
from models.nets.cost import Cost, measure
from training.data import chestxray14, chexpert, covidx, manifest
from training.evaluation.bootstrap import Interval, Resampling
from training.evaluation.exclusive import COVIDX_MERGE, ExclusiveReport, exclusive_report
from training.metrics import AurocReport, auroc_report
from training.recipes.table import RowRecipe
from training.recipes.types import FinetuneRecipe, LinprobeRecipe
from training.reproduction.precision import box_precision
from training.reproduction.tested import Tested
from training.trunks import build_classifier

RESAMPLES, SEED = 1000, 0
ALL = "All"  # of the findings that have boxes

_NUM_OUTPUTS = {
    chestxray14.NAME: len(CHESTXRAY14),
    manifest.NAME: len(CHESTXRAY14),
    chexpert.NAME: len(chexpert.TASKS),
    covidx.NAME: len(covidx.CLASSES),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One number as it was measured.

    Attributes:
        value: in percent, or in the unit of the paper's column; None where it is undefined.
        low: lower end of the 95 % interval over patients; None where there is none.
        high: upper end.
        n: images, or boxes, that it is over; None for what needs none.
        note: what a reader has to know; empty for nothing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    note: str = ""


def _mean_auroc(tested: Tested, _: str) -> Measured:
    report = _aurocs(tested)
    total = len(report.findings)
    note = "" if report.num_defined == total else f"{report.num_defined} of {total} findings defined"
    return _percent(report.mean, (report.low, report.high), len(tested.judges.rows), note)


def _auroc(tested: Tested, finding: str) -> Measured:
    row = next(row for row in _aurocs(tested).findings if row.finding == finding)
    return _percent(row.value, (row.low, row.high), row.positives + row.negatives)


def _accuracy(tested: Tested, _: str) -> Measured:
    report = _classes(tested)
    return _percent(report.accuracy, report.accuracy_interval, len(tested.judges.rows))


def _sensitivity(tested: Tested, name: str) -> Measured:
    result = next(result for result in _classes(tested).classes if result.name == name)
    return _percent(result.sensitivity, result.sensitivity_interval, result.labelled)


def _box_precision(least_overlap: float) -> Callable[[Tested, str], Measured]:
    def measured(tested: Tested, finding: str) -> Measured:
        precision, boxes, cases = box_precision(tested.boxes, None if finding == ALL else finding, least_overlap)
        note = f"{cases - boxes} of {cases} maps flat" if cases > boxes else ""
        return _percent(precision.value, precision.interval, boxes, note)

    return measured


METRICS: Mapping[str, Callable[[Tested, str], Measured]] = MappingProxyType(
    {
        "mean_auroc": _mean_auroc,
        "auroc": _auroc,
        "accuracy": _accuracy,
        "sensitivity": _sensitivity,
        "ap25": _box_precision(0.25),
        "ap50": _box_precision(0.50),
    }
)
COUNTS: Mapping[str, Callable[[Cost], float]] = MappingProxyType(
    {
        "parameters_m": lambda cost: cost.num_parameters / 1e6,
        "macs_g": lambda cost: cost.ptflops_macs / 1e9,
    }
)


def measured_of(metric: str, tested: Tested) -> Measured:
    """Take a measurement, `name` or `name:argument`.

    Raises:
        DataError: what it is taken on is not at hand.
    """
    name, _, argument = metric.partition(":")
    return METRICS[name](tested, argument)


def counted_of(metric: str, recipe: RowRecipe) -> Measured | None:
    """What a network costs, which needs no training and no data; None for metrics that need both."""
    if metric not in COUNTS or not isinstance(recipe, FinetuneRecipe | LinprobeRecipe):
        return None
    with torch.device("meta"):
        network = build_classifier(recipe, _NUM_OUTPUTS[recipe.data[0]]).eval()
        images = torch.empty(1, 3, recipe.image_size_px, recipe.image_size_px)
    return Measured(COUNTS[metric](measure(network, images)), note="counted")


def _aurocs(tested: Tested) -> AurocReport:
    judges, scores = tested.judges, tested.scores
    return auroc_report(
        scores.findings, judges.labels, scores.logits, judges.patients, num_resamples=RESAMPLES, seed=SEED
    )


def _classes(tested: Tested) -> ExclusiveReport:
    judges, scores = tested.judges, tested.scores
    return exclusive_report(
        scores.findings,
        np.argmax(judges.labels, axis=1),
        scores.logits,
        Resampling.by_patient(judges.patients, RESAMPLES, SEED),
        COVIDX_MERGE,
    )


def _percent(
    value: float | None, ends: tuple[float | None, float | None] | Interval | None, n: int, note: str = ""
) -> Measured:
    low, high = ends or (None, None)
    if value is None:
        return Measured(None, n=n, note=note or "undefined")
    return Measured(100 * value, None if low is None else 100 * low, None if high is None else 100 * high, n, note)
