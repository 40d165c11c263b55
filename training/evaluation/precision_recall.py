"""Average precision, which depends on how common the finding is."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from training.evaluation.ranks import Ranking


def average_precision(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Area under the precision-recall curve as a sum over steps; None without positives.

    Scores that say nothing reach the prevalence, which is therefore reported beside it.

    Raises:
        ValueError: the lengths differ, or a score is NaN or infinite.

    Source: scikit-learn's `average_precision_score`, which does not interpolate.
    """
    present = np.asarray(labels, bool)
    if not Ranking(present, scores).num_positives:
        return None
    return float(average_precision_score(present, np.asarray(scores, np.float64)))
