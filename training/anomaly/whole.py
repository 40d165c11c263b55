"""Whole pictures: does a map's mean or largest value tell pictures with a finding from those without any?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.imaging.preprocess import InputContract
from models.labels import CHESTXRAY14
from training.anomaly.methods import PRODUCT, Draw, known_of
from training.anomaly.report import (
    LARGEST_SCORE,
    MEAN_SCORE,
    Number,
    difference,
    families,
    image_number,
    mean_over_seeds,
)
from training.data.dataset import DataError, Row
from training.data.packed import read_input
from training.evaluation.bootstrap import Resampling

_ALL: Final = frozenset(CHESTXRAY14)
_BATCH: Final = 4


@dataclass(frozen=True, slots=True)
class WholeReport:
    """Pictures with a finding against those without any.

    Attributes:
        num_with, num_without: pictures.
        num_patients: of both.
        methods: method, then what its scores are worth, by mean and by largest value.
        gains: method, then the product's AUROC minus that method's.
    """

    num_with: int
    num_without: int
    num_patients: int
    methods: Mapping[str, Mapping[str, Number]]
    gains: Mapping[str, Mapping[str, Number]]


def complete_rows(rows: Sequence[Row], split: str) -> list[Row]:
    """Upright pictures that were read for all findings.

    Args:
        rows: of a data set.
        split: rows of another split are left out; those of none are taken.

    Raises:
        DataError: they do not have both kinds, with and without a finding.
    """
    kept = [row for row in rows if row.split in ("", split) and row.known == _ALL and not row.flag]
    if len({bool(row.labels) for row in kept}) < 2:
        raise DataError(f"split {split} has no pictures both with and without a finding among those read for all")
    return kept


def whole_report(
    rows: Sequence[Row],
    contract: InputContract,
    methods: Mapping[str, Draw],
    *,
    num_resamples: int,
    seed: int,
) -> WholeReport:
    """Draw, keep two numbers a map, and rank pictures by them; methods that differ in a seed alone become one.

    Args:
        rows: from `complete_rows`.
        contract: how a picture is laid on the model's square.
        methods: by name.
        num_resamples: bootstrap draws of patients.
        seed: of the bootstrap.

    Raises:
        DataError: a file does not decode.
    """
    scores = _scores(rows, contract, methods)
    labels = np.array([bool(row.labels) for row in rows], np.float64)
    patients = [row.patient for row in rows]
    resampling = Resampling.by_patient(patients, num_resamples, seed)
    single = {
        name: {what: image_number(labels, values, resampling) for what, values in parts.items()}
        for name, parts in scores.items()
    }
    merged = {name: mean_over_seeds([single[part] for part in parts]) for name, parts in families(single).items()}
    product = merged[PRODUCT]
    return WholeReport(
        num_with=int(labels.sum()),
        num_without=int((1 - labels).sum()),
        num_patients=len(set(patients)),
        methods=merged,
        gains={
            name: {what: difference(product[what], one) for what, one in numbers.items()}
            for name, numbers in merged.items()
            if name != PRODUCT
        },
    )


def _scores(
    rows: Sequence[Row], contract: InputContract, methods: Mapping[str, Draw]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """By method, (N,) means and largest values of the maps over their pictures."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    with tqdm(total=len(rows), desc="whole pictures", unit="map") as bar:
        rest = iter(rows)
        while batch := list(islice(rest, _BATCH)):
            inputs = [read_input(row.file, contract) for row in batch]
            for name, draw in methods.items():
                for shown, drawn in zip(inputs, draw(inputs), strict=True):
                    inside = drawn[known_of(shown)]
                    found[name].append((float(inside.mean(dtype=np.float64)), float(inside.max())))
            bar.update(len(batch))
    pairs = {name: np.array(values, np.float64) for name, values in found.items()}
    return {name: {MEAN_SCORE: both[:, 0], LARGEST_SCORE: both[:, 1]} for name, both in pairs.items()}
