"""Several networks of one recipe against several of another, by the means over each side's networks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Resampling
from training.evaluation.comparison import shared
from training.evaluation.report_json import Json
from training.evaluation.scores import Scores
from training.evaluation.table import UNDEFINED, ends, number, table
from training.evaluation.within_folds import Estimate, FoldedAurocs, folded_aurocs, mean_auroc


@dataclass(frozen=True, slots=True)
class Side:
    """Networks that differ by their seed.

    Attributes:
        networks: S, each by itself.
        mean: of their mean AUROCs; the interval is over patients, for these very networks.
        deviation: of their mean AUROCs, as of a sample of S; None of one network.
    """

    networks: tuple[Estimate, ...]
    mean: Estimate
    deviation: float | None


@dataclass(frozen=True, slots=True)
class SeedsComparison:
    """First side minus second, each by the mean over its networks.

    Attributes:
        a: first side.
        b: second; None where there is one side only, and so is what follows.
        difference: of the means, with the paired interval over patients.
        seed_error: standard error that the spread over networks gives the difference; None, too, where a side has one
            network only.
        num_defined: findings that the mean AUROCs are over.
        num_findings: that all networks share.
    """

    a: Side
    b: Side | None
    difference: Estimate | None
    seed_error: float | None
    num_defined: int
    num_findings: int


def compare_seeds(
    first: Sequence[Scores],
    second: Sequence[Scores],
    labels: NDArray[np.float32],
    patients: Sequence[str],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> SeedsComparison:
    """Each network is scored by itself and AUROCs are averaged: a mean of logits would be another model.

    Args:
        first: S networks' scores of N images.
        second: of the same images; may be empty.
        labels: (N, F), NaN unknown, in the order of the findings of `first[0]`.
        patients: N identifiers, the unit of the bootstrap.
        num_resamples: bootstrap draws, the same for all networks.
        seed: of the bootstrap.

    Raises:
        ValueError: the networks share no finding.
    """
    names, judged, logits = shared([*first, *second], labels)
    resampling, together = Resampling.by_patient(patients, num_resamples, seed), np.zeros(len(judged), np.int64)
    aurocs = [folded_aurocs(judged, one, together, resampling) for one in logits]
    ours, theirs = aurocs[: len(first)], aurocs[len(first) :]
    a, b = _side(ours), _side(theirs) if theirs else None
    error = None
    if b is not None and a.deviation is not None and b.deviation is not None:
        error = float(np.hypot(a.deviation / np.sqrt(len(ours)), b.deviation / np.sqrt(len(theirs))))
    return SeedsComparison(
        a,
        b,
        difference=mean_auroc(_average(ours), _average(theirs)) if theirs else None,
        seed_error=error,
        num_defined=int((~np.isnan(aurocs[0].values)).sum()),  # labels decide, so all networks agree
        num_findings=len(names),
    )


def seeds_lines(comparison: SeedsComparison, names_a: Sequence[str], names_b: Sequence[str]) -> list[str]:
    """A row for each network, the sides' means, their difference."""
    rows, notes = [], ["Intervals draw patients, not models: they are of these very models."]
    for letter, names, side in (("A", names_a, comparison.a), ("B", names_b, comparison.b)):
        if side is not None:
            rows += [[f"{letter}: {name}", *_cells(one), ""] for name, one in zip(names, side.networks, strict=True)]
            rows.append([f"mean of the {len(names)} of {letter}", *_cells(side.mean), _spread(side.deviation)])
    if (difference := comparison.difference) is not None:
        signed = UNDEFINED if difference.value is None else f"{difference.value:+.3f}"
        rows.append(["A - B", signed, ends(difference.interval), _spread(comparison.seed_error)])
        notes.append("A - B is of the means, with the same draws for all models of both sides.")
    if comparison.seed_error is not None:
        notes.append("Beside A - B stands the standard error that the deviations over models give it.")
    auroc = f"mean AUROC of {comparison.num_defined} of {comparison.num_findings} defined"
    return [*table(["model", auroc, "95 % interval", "deviation over models"], rows), "", *notes]


def seeds_json(comparison: SeedsComparison) -> dict[str, Json]:
    """Every number unrounded."""
    difference, b = comparison.difference, comparison.b
    return {
        "a": _side_json(comparison.a),
        "b": None if b is None else _side_json(b),
        "difference": None if difference is None else difference.as_json(),
        "seed_standard_error": comparison.seed_error,
        "findings_defined": comparison.num_defined,
        "findings": comparison.num_findings,
    }


def _side(aurocs: Sequence[FoldedAurocs]) -> Side:
    networks = tuple(mean_auroc(one) for one in aurocs)
    values = [one.value for one in networks if one.value is not None]
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Side(networks, mean_auroc(_average(aurocs)), deviation)


def _average(aurocs: Sequence[FoldedAurocs]) -> FoldedAurocs:
    return FoldedAurocs(np.mean([one.values for one in aurocs], axis=0), np.mean([one.draws for one in aurocs], axis=0))


def _spread(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _cells(estimate: Estimate) -> list[str]:
    return [number(estimate.value), ends(estimate.interval)]


def _side_json(side: Side) -> Json:
    return {
        "networks": [one.as_json() for one in side.networks],
        "mean": side.mean.as_json(),
        "standard_deviation": side.deviation,
    }
