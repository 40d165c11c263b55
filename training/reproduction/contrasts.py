"""The difference of two rows on the same images: what a table wants to show."""

from dataclasses import dataclass

import numpy as np

from training.evaluation.bootstrap import Resampling, interval
from training.evaluation.comparison import compare
from training.evaluation.exclusive import COVIDX_MERGE
from training.reproduction.metrics import RESAMPLES, SEED
from training.reproduction.tested import Tested


@dataclass(frozen=True, slots=True)
class Difference:
    """First row minus second, in percent points.

    Attributes:
        first: key of a row.
        second: key of another.
        metric: what the difference is of.
        value: None where it is undefined.
        low: lower end of the 95 % interval, paired bootstrap over patients; None where there is none.
        high: upper end.
        n: images.
    """

    first: str
    second: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int


def difference(first: tuple[str, Tested], second: tuple[str, Tested]) -> Difference | None:
    """Of two rows by their keys; None where other images judge the one than the other."""
    (first_key, one), (second_key, other) = first, second
    if one.judges != other.judges:
        return None
    judges, num_images = one.judges, len(one.judges.rows)
    if judges.dataset.is_exclusive:
        resampling = Resampling.by_patient(judges.patients, RESAMPLES, SEED)
        better = (_is_right(one) - _is_right(other))[:, None]
        ends = interval(resampling.shares(better, np.ones_like(better))[:, 0])
        value, metric = float(better.mean()), "accuracy"
    else:
        both = compare(one.scores, other.scores, judges.labels, judges.patients, num_resamples=RESAMPLES, seed=SEED)
        value, ends, metric = None, both.interval, "mean AUROC"
        if both.mean_a is not None and both.mean_b is not None:
            value = both.mean_a - both.mean_b
    low, high = ends or (None, None)
    return Difference(first_key, second_key, metric, _percent(value), _percent(low), _percent(high), num_images)


def _is_right(tested: Tested) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(N,), 1 where the merged class is named."""
    findings = tested.judges.dataset.findings
    merged = np.array([COVIDX_MERGE.get(name, name) for name in findings])
    said, truth = tested.scores.logits.argmax(axis=1), tested.judges.labels.argmax(axis=1)
    return np.asarray(merged[said] == merged[truth], np.float64)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
