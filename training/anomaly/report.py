"""What maps are worth: pixels by kind of anomaly, images, seams; each with an interval, each against the product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.anomaly.benchmark import CLEAN
from training.anomaly.methods import ONE_MASK, PRODUCT, SHUFFLED
from training.anomaly.scoring import Group, Scored
from training.evaluation.bootstrap import Interval, Resampling, interval
from training.evaluation.ranks import Ranking

ALL: Final = "all"
AUROC, AP, BY_IMAGE = "pixel AUROC", "pixel AP", "pixel AUROC by image"
MEAN_SCORE, LARGEST_SCORE = "image AUROC (mean)", "image AUROC (largest)"

_MEANS_OVER_SEEDS: Final = (ONE_MASK, SHUFFLED)


@dataclass(frozen=True, slots=True)
class Number:
    """A measured value.

    Attributes:
        value: NaN where undefined.
        interval: 95 %, over patients; None where draws cannot show it.
        draws: (R,) of the bootstrap, the same patients in every number of a group.
    """

    value: float
    interval: Interval | None
    draws: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One group of pictures.

    Attributes:
        cases, patients: their number by kind; `ALL` holds every kind but clean ones.
        prevalence: share of pixels inside, by kind: the pixel AP of a map that says nothing.
        methods: kind, then method, then what was measured.
        gains: kind, then method, then the product's AUROC minus that method's and its AP over that method's.
        seams: on clean pictures, by method: median of the ratio; NaN where there is none, or no step.
    """

    cases: Mapping[str, int]
    patients: Mapping[str, int]
    prevalence: Mapping[str, float]
    methods: Mapping[str, Mapping[str, Mapping[str, Number]]]
    gains: Mapping[str, Mapping[str, Mapping[str, Number]]]
    seams: Mapping[str, float]


def group_report(group: Group, *, num_resamples: int, seed: int) -> GroupReport:
    """Measure one group; methods that differ in their seed alone become one, by the mean over seeds."""
    resampling = Resampling.by_patient([*group.patients], num_resamples, seed)
    weights = resampling.counts[:, resampling.patient_of]
    kinds = [ALL, *dict.fromkeys(str(kind) for kind in group.kinds if kind != CLEAN)]
    clean = group.kinds == CLEAN
    chosen = {kind: group.has_anomaly if kind == ALL else group.kinds == kind for kind in kinds}
    methods: dict[str, dict[str, dict[str, Number]]] = {}
    for kind in kinds:
        single = {name: _measure(one, group, chosen[kind], resampling, weights) for name, one in group.scored.items()}
        methods[kind] = {
            name: mean_over_seeds([single[part] for part in parts]) for name, parts in families(single).items()
        }
    any_method = next(iter(group.scored.values()))
    return GroupReport(
        cases={kind: int(rows.sum()) for kind, rows in (*chosen.items(), (CLEAN, clean))},
        patients={kind: len(set(group.patients[rows])) for kind, rows in (*chosen.items(), (CLEAN, clean))},
        prevalence={
            kind: float(any_method.pixels.rows(rows[group.has_anomaly]).pooled().prevalences[0])
            for kind, rows in chosen.items()
        },
        methods=methods,
        gains={kind: _gains(of_kind) for kind, of_kind in methods.items()},
        seams={name: _median(one.seams[clean]) for name, one in group.scored.items()},
    )


def _measure(
    scored: Scored, group: Group, rows: NDArray[np.bool_], resampling: Resampling, weights: NDArray[np.integer]
) -> dict[str, Number]:
    counts = scored.pixels.rows(rows[group.has_anomaly])
    point, drawn = counts.pooled(), counts.pooled(weights[:, rows])
    by_image = counts.by_image().aurocs
    shares = np.where(np.isnan(by_image), 0, weights[:, rows])
    means = (shares @ np.nan_to_num(by_image)) / np.maximum(shares.sum(axis=1), 1)
    numbers = {
        AUROC: _number(point.aurocs[0], drawn.aurocs),
        AP: _number(point.average_precisions[0], drawn.average_precisions),
        BY_IMAGE: _number(float(np.nanmean(by_image)) if np.isfinite(by_image).any() else np.nan, means),
    }
    compared = rows | (group.kinds == CLEAN)
    labels = rows[compared].astype(np.float64)
    for name, scores in ((MEAN_SCORE, scored.mean), (LARGEST_SCORE, scored.largest)):
        numbers[name] = image_number(labels, scores[compared], resampling, compared)
    return numbers


def image_number(
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    resampling: Resampling,
    among: NDArray[np.bool_] | slice = slice(None),
) -> Number:
    """AUROC of N pictures by one score each.

    Args:
        labels: (N,), 1 with an anomaly, 0 without.
        scores: (N,).
        resampling: of the patients of these pictures, or of more.
        among: which of the pictures of `resampling` these are.
    """
    ranking = Ranking(labels, scores)
    value = np.nan if ranking.auroc is None else ranking.auroc
    return _number(value, ranking.aurocs(resampling.counts, resampling.patient_of[among]))


def difference(first: Number, second: Number) -> Number:
    """First minus second, draw by draw."""
    return _number(first.value - second.value, first.draws - second.draws)


def families(names: Mapping[str, object]) -> dict[str, list[str]]:
    """Names that differ in a seed alone, under what they share."""
    families: dict[str, list[str]] = {}
    for name in names:
        stem = next((stem for stem in _MEANS_OVER_SEEDS if name.startswith(f"{stem} ")), name)
        families.setdefault(stem, []).append(name)
    return families


def mean_over_seeds(parts: Sequence[Mapping[str, Number]]) -> dict[str, Number]:
    """Of each number over several seeds, draw by draw."""
    return {
        name: _number(
            float(np.mean([part[name].value for part in parts])),
            np.mean([part[name].draws for part in parts], axis=0),
        )
        for name in parts[0]
    }


def _gains(methods: Mapping[str, Mapping[str, Number]]) -> dict[str, dict[str, Number]]:
    if PRODUCT not in methods:
        return {}
    best, gains = methods[PRODUCT], {}
    for name, other in methods.items():
        if name != PRODUCT:
            ratio = best[AP].draws / other[AP].draws
            gains[name] = {
                AUROC: difference(best[AUROC], other[AUROC]),
                AP: _number(best[AP].value / other[AP].value, ratio),
            }
    return gains


def _median(values: NDArray[np.float64]) -> float:
    """Of those that are defined; NaN of none."""
    defined = values[np.isfinite(values)]
    return float(np.median(defined)) if len(defined) else float("nan")


def _number(value: float, draws: NDArray[np.float64]) -> Number:
    return Number(float(value), interval(draws), draws)
