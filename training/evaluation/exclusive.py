"""Exclusive classes, exactly one an image: accuracy, sensitivity and predictive value, and who is taken for whom.

COVIDx is the case in point. Networks have four outputs (normal, positive, pneumonia, COVID-19), while no image is
labelled "positive" and arXiv:2210.12843 (section 5.2) reports accuracy and COVID-19 sensitivity over three classes. Its
code counts accuracy on the four-way argmax, and all else after adding "positive" to pneumonia: `COVIDX_MERGE`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from training.evaluation.bootstrap import Interval, Resampling, interval
from training.evaluation.ranks import Ranking

COVIDX_MERGE: Mapping[str, str] = MappingProxyType({"positive": "pneumonia"})


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One class against the others.

    Attributes:
        name: of the class.
        labelled: images that are of it.
        predicted: images that are said to be of it.
        correct: images that are both.
        auroc: one against the rest, by the probability of the softmax; None where it is undefined.
        sensitivity_interval: 95 %, over patients; None where nobody is of this class.
        ppv_interval: likewise; None where nobody is said to be of it.
    """

    name: str
    labelled: int
    predicted: int
    correct: int
    auroc: float | None
    sensitivity_interval: Interval | None
    ppv_interval: Interval | None

    @property
    def sensitivity(self) -> float | None:
        """None where nobody is of this class."""
        return self.correct / self.labelled if self.labelled else None

    @property
    def ppv(self) -> float | None:
        """Positive predictive value; None where nobody is said to be of this class."""
        return self.correct / self.predicted if self.predicted else None


@dataclass(frozen=True, slots=True)
class ExclusiveReport:
    """How well one class an image is named.

    Attributes:
        classes: after merging.
        confusion: (K, K) images; a row is what they are, a column what they are said to be.
        accuracy: over the merged classes.
        accuracy_interval: 95 %, over patients.
        unmerged_accuracy: over the classes as the network has them: what the official code prints.
    """

    classes: tuple[ClassResult, ...]
    confusion: NDArray[np.int64]
    accuracy: float
    accuracy_interval: Interval | None
    unmerged_accuracy: float


def exclusive_report(
    classes: Sequence[str],
    labels: NDArray[np.integer],
    logits: NDArray[np.floating],
    resampling: Resampling,
    merge: Mapping[str, str] = MappingProxyType({}),
) -> ExclusiveReport:
    """Score argmax and softmax.

    Args:
        classes: C names, in the order of the logits.
        labels: (N,) place of each image's class.
        logits: (N, C) before the softmax.
        resampling: of these N images, for the intervals.
        merge: classes that count as another one, by name; their probabilities are added.

    Raises:
        ValueError: no image, a logit is NaN or infinite, or `merge` names a class that is not there.
    """
    if not len(labels):
        raise ValueError("no image to score")
    if not np.isfinite(logits).all():
        raise ValueError("a logit is NaN or infinite")
    if unknown := sorted({*merge.keys(), *merge.values()} - set(classes)):
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(classes)}")
    kept = [name for name in classes if name not in merge]
    merged = np.array([kept.index(merge.get(name, name)) for name in classes])
    predicted = logits.argmax(axis=1)
    truth, said = merged[labels], merged[predicted]
    right = (truth == said)[:, None].astype(float)
    accuracies = resampling.shares(right, np.ones_like(right))[:, 0]
    return ExclusiveReport(
        classes=tuple(
            _result(name, truth == place, said == place, _log_odds(logits, merged == place), resampling)
            for place, name in enumerate(kept)
        ),
        confusion=np.bincount(truth * len(kept) + said, minlength=len(kept) ** 2).reshape(len(kept), len(kept)),
        accuracy=float(right.mean()),
        accuracy_interval=interval(accuracies),
        unmerged_accuracy=float((labels == predicted).mean()),
    )


def _result(
    name: str,
    truth: NDArray[np.bool_],
    said: NDArray[np.bool_],
    log_odds: NDArray[np.float64],
    resampling: Resampling,
) -> ClassResult:
    both = (truth & said)[:, None].astype(float)
    return ClassResult(
        name=name,
        labelled=int(truth.sum()),
        predicted=int(said.sum()),
        correct=int(both.sum()),
        auroc=Ranking(truth, log_odds).auroc,
        sensitivity_interval=interval(resampling.shares(both, truth[:, None].astype(float))[:, 0]),
        ppv_interval=interval(resampling.shares(both, said[:, None].astype(float))[:, 0]),
    )


def _log_odds(logits: NDArray[np.floating], of_class: NDArray[np.bool_]) -> NDArray[np.float64]:
    """log(p / (1 - p)) of a class: the order of the softmax's p without its rounding to 1, which would make ties."""
    wide = logits.astype(np.float64)
    odds: NDArray[np.float64] = logsumexp(wide[:, of_class], axis=1) - logsumexp(wide[:, ~of_class], axis=1)
    return odds
