"""Two models on the same images: by finding with DeLong's test, by finding and on average with the paired bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import (
    FEW_DEFINED_OF_A_MEAN,
    Interval,
    Resampling,
    auroc_draws,
    interval,
    mean_draws,
)
from training.evaluation.delong import DelongTest, delong_test
from training.evaluation.scores import Scores


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding, first model minus second.

    Attributes:
        finding: its name.
        delong: None where AUROC is undefined, or one of the models was not trained for the finding.
        interval: 95 %, paired bootstrap over patients; None where `delong` is, and where too few draws define it.
    """

    finding: str
    delong: DelongTest | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """First model minus second over the findings they share.

    Attributes:
        findings: shared ones, in the first model's order.
        mean_a: mean AUROC of the first model over those that are defined; None where none is.
        mean_b: of the second.
        interval: 95 % of mean_a - mean_b, paired bootstrap over patients.
    """

    findings: tuple[Difference, ...]
    mean_a: float | None
    mean_b: float | None
    interval: Interval | None

    @property
    def num_defined(self) -> int:
        """Findings whose difference exists."""
        return sum(row.delong is not None for row in self.findings)


def compare(
    first: Scores,
    second: Scores,
    labels: NDArray[np.float32],
    patients: Sequence[str],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Take two models apart.

    Args:
        first: of N images.
        second: of the same images; its findings may be others or in another order.
        labels: (N, F), NaN unknown, in the order of `first.findings`.
        patients: N identifiers, the unit of the bootstrap.
        num_resamples: bootstrap draws, the same for both models.
        seed: of the bootstrap.

    Raises:
        ValueError: the models share no finding.
    """
    names, judged, (scores_a, scores_b) = shared([first, second], labels)
    resampling = Resampling.by_patient(patients, num_resamples, seed)
    draws_a, draws_b = (auroc_draws(judged, scores, resampling) for scores in (scores_a, scores_b))
    tests = [_delong(judged[:, i], scores_a[:, i], scores_b[:, i]) for i in range(len(names))]
    differences = tuple(
        Difference(name, test, None if test is None else interval(draws_a[:, i] - draws_b[:, i]))
        for i, (name, test) in enumerate(zip(names, tests, strict=True))
    )
    defined = [test for test in tests if test is not None]
    if not defined:
        return Comparison(differences, None, None, None)
    counted = np.array([test is not None for test in tests])
    means = mean_draws(draws_a, counted) - mean_draws(draws_b, counted)
    return Comparison(
        differences,
        mean_a=float(np.mean([test.auroc_a for test in defined])),
        mean_b=float(np.mean([test.auroc_b for test in defined])),
        interval=interval(means, least_defined=FEW_DEFINED_OF_A_MEAN),
    )


def shared(
    models: Sequence[Scores], labels: NDArray[np.float32]
) -> tuple[tuple[str, ...], NDArray[np.float32], list[NDArray[np.float32]]]:
    """The K findings that all models have, in the first one's order; their labels, and each model's logits, (N, K).

    A label is unknown (NaN) where one of the models was not trained for the finding.

    Args:
        models: of N images.
        labels: (N, F), NaN unknown, in the order of the first model's findings.

    Raises:
        ValueError: they share no finding.
    """
    first, *others = models
    names = tuple(name for name in first.findings if all(name in other.findings for other in others))
    if not names:
        told = " and ".join(", ".join(one.findings) for one in models)
        raise ValueError(f"the models share no finding: {told}")
    columns = [[one.findings.index(name) for name in names] for one in models]
    trained = np.all([one.trained[own] for one, own in zip(models, columns, strict=True)], axis=0)
    judged = np.where(trained, labels[:, columns[0]], np.float32(np.nan))
    return names, judged, [one.logits[:, own] for one, own in zip(models, columns, strict=True)]


def _delong(
    labels: NDArray[np.float32], scores_a: NDArray[np.float32], scores_b: NDArray[np.float32]
) -> DelongTest | None:
    known = ~np.isnan(labels)
    return delong_test(labels[known] == 1, scores_a[known], scores_b[known])
