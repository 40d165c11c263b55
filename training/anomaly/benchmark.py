"""Which pictures the benchmark lays anomalies into, and what a map is scored on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.imaging.preprocess import InputContract, ModelInput, prepare
from models.labels import CHESTXRAY14
from training.anomaly.field import working_picture
from training.anomaly.implants import KINDS, implant, to_model
from training.data.dataset import DataError, Row
from training.data.packed import read_radiograph

COMPLETE: Final = "read for all findings"
CLEAN: Final = "clean"

_ALL = frozenset(CHESTXRAY14)


@dataclass(frozen=True, slots=True)
class Case:
    """One picture as a model sees it.

    Attributes:
        row: where it comes from.
        kind: of the implant, or `CLEAN`.
        shown: the model's input.
        truth: (S, S) bool, where the anomaly is; nowhere in a clean one.
    """

    row: Row
    kind: str
    shown: ModelInput
    truth: NDArray[np.bool_]


def normal_groups(rows: Sequence[Row], split: str, limit: int | None) -> dict[str, list[Row]]:
    """Upright pictures without a finding, those read for all findings first and together, others by source.

    Args:
        rows: of a data set.
        split: rows of another split are left out; those of none are taken.
        limit: first rows of each group that are kept; None keeps all.

    Raises:
        DataError: there is none.
    """
    groups: dict[str, list[Row]] = {COMPLETE: []}
    for row in rows:
        if row.split in ("", split) and row.known and not row.labels and not row.flag:
            groups.setdefault(COMPLETE if row.known == _ALL else row.source, []).append(row)
    groups = {name: group[:limit] for name, group in groups.items() if group}
    if not groups:
        raise DataError(f"no row of split {split} is said to show no finding")
    return groups


def cases(
    rows: Sequence[Row], contract: InputContract, seed: int, kinds: Sequence[str] = (CLEAN, *KINDS)
) -> Iterator[Case]:
    """Every row clean, then with each kind of implant; a row's place is the index that its implants are drawn with.

    Raises:
        DataError: a file does not decode.
    """
    for index, row in enumerate(rows):
        pixels = working_picture(read_radiograph(row.file).pixels)
        for kind in kinds:
            if kind == CLEAN:
                shown = prepare(pixels, contract)
                yield Case(row, kind, shown, np.zeros(shown.image.shape, np.bool_))
            else:
                yield Case(row, kind, *to_model(implant(pixels, kind, seed, index), contract))
