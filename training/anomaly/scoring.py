"""Maps of all methods over all cases, kept as what the report needs of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.anomaly.benchmark import CLEAN, Case
from training.anomaly.methods import PRODUCT, Draw, known_of
from training.anomaly.pixel_scores import PixelCounts

CHANCE: Final = "product, truth of another picture"

_BATCH: Final = 4


@dataclass(frozen=True, slots=True)
class Scored:
    """One method on one group of cases.

    Attributes:
        pixels: of the cases with an anomaly.
        mean, largest: (N,) of each map over its picture, clean ones included.
        seams: (N,) `seam_ratio` of each map.
    """

    pixels: PixelCounts
    mean: NDArray[np.float64]
    largest: NDArray[np.float64]
    seams: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """What a report is made from.

    Attributes:
        kinds: (N,) of the cases, clean ones included.
        patients: (N,).
        scored: by method.
    """

    kinds: NDArray[np.str_]
    patients: NDArray[np.str_]
    scored: Mapping[str, Scored]

    @property
    def has_anomaly(self) -> NDArray[np.bool_]:
        """(N,), the cases that `Scored.pixels` has, in order."""
        return np.asarray(self.kinds != CLEAN)


def score_methods(cases: Iterable[Case], total: int, methods: Mapping[str, Draw], patch_px: int) -> Group:
    """Draw, count, forget the maps.

    Args:
        cases: at least one with an anomaly.
        total: their number, for the progress bar.
        methods: by name; what `PRODUCT` draws is also scored against the truth of other pictures.
        patch_px: where the seams are.
    """
    seen: list[Case] = []
    drawn: dict[str, list[NDArray[np.float16]]] = {name: [] for name in methods}
    with tqdm(total=total, desc="anomaly maps", unit="map") as bar:
        rest = iter(cases)
        while batch := list(islice(rest, _BATCH)):
            seen += batch
            inputs = [case.shown for case in batch]
            for name, draw in methods.items():
                drawn[name] += [*draw(inputs).astype(np.float16)]  # eleven bits: finer than the levels they go into
            bar.update(len(batch))
    kinds = np.array([case.kind for case in seen])
    truths, known = np.stack([case.truth for case in seen]), np.stack([known_of(case.shown) for case in seen])
    scored = {name: _scored(np.stack(maps), truths, known, kinds != CLEAN, patch_px) for name, maps in drawn.items()}
    if PRODUCT in methods:
        others = truths[_another_of_its_kind(kinds)]
        scored[CHANCE] = _scored(np.stack(drawn[PRODUCT]), others, known, kinds != CLEAN, patch_px)
    return Group(kinds, np.array([case.row.patient for case in seen]), scored)


def seam_ratio(values: NDArray[np.floating], known: NDArray[np.bool_], patch_px: int) -> float:
    """Mean step of a map across the borders of patches, over the mean step elsewhere; 1 without seams.

    Args:
        values: (S, S); a step is the absolute difference of two neighbours in a row or a column, both known.
    """
    on = off = np.zeros(0)
    for axis in (0, 1):
        steps = np.abs(np.diff(values.astype(np.float64), axis=axis))
        both = known[1:] & known[:-1] if axis == 0 else known[:, 1:] & known[:, :-1]
        is_border = (np.arange(1, values.shape[axis]) % patch_px == 0)[:, None]
        is_border = np.broadcast_to(is_border if axis == 0 else is_border.T, steps.shape)
        on, off = np.append(on, steps[both & is_border]), np.append(off, steps[both & ~is_border])
    return float(on.mean() / off.mean()) if len(on) and off.any() else float("nan")


def _scored(
    maps: NDArray[np.float16],
    truths: NDArray[np.bool_],
    known: NDArray[np.bool_],
    has_anomaly: NDArray[np.bool_],
    patch_px: int,
) -> Scored:
    pairs = list(zip(maps, known, strict=True))
    return Scored(
        PixelCounts.of(maps[has_anomaly], truths[has_anomaly], known[has_anomaly]),
        np.array([one[inside].mean(dtype=np.float64) for one, inside in pairs]),
        np.array([float(one[inside].max()) for one, inside in pairs]),
        np.array([seam_ratio(one, inside, patch_px) for one, inside in pairs]),
    )


def _another_of_its_kind(kinds: Sequence[str] | NDArray[np.str_]) -> NDArray[np.int64]:
    """For each case the next one of its kind; the last takes the first's."""
    places = np.arange(len(kinds))
    for kind in np.unique(kinds):
        own = np.flatnonzero(kinds == kind)
        places[own] = np.roll(own, -1)
    return places
