"""Thresholds chosen on one set of patients, to be reported on another."""

from collections.abc import Sequence

import numpy as np

from training.data.dataset import DataError, Row, label_matrix
from training.evaluation.operating import Thresholds, youden_threshold
from training.evaluation.scores import Scores


def check_disjoint(chosen_on: Sequence[Row], reported_on: Sequence[Row]) -> None:
    """Hold the two sets apart.

    Raises:
        DataError: a patient is in both.
    """
    if both := {row.patient for row in chosen_on} & {row.patient for row in reported_on}:
        raise DataError(f"{len(both)} patients would both choose the thresholds and be reported, such as {min(both)}")


def youden_thresholds(rows: Sequence[Row], scores: Scores, origin: str) -> Thresholds:
    """For each finding the cut with the largest sensitivity + specificity; NaN where a kind of label is missing.

    Args:
        rows: N, whose patients are reported nowhere else.
        scores: of their images; probabilities are cut where there are any, logits otherwise.
        origin: where the rows come from, for people.
    """
    labels = label_matrix(rows, scores.findings)
    values = scores.logits if scores.probabilities is None else scores.probabilities
    cuts = []
    for index in range(len(scores.findings)):
        known = ~(np.isnan(labels[:, index]) | np.isnan(values[:, index]))
        cut = youden_threshold(labels[known, index] == 1, values[known, index])
        cuts.append(np.nan if cut is None else cut)
    return Thresholds(np.array(cuts), scores.probabilities is not None, origin)
