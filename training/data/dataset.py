"""A data set: one vocabulary of findings, and one row a radiograph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.labels import CHESTXRAY14, SYNONYMS

SPLITS = ("train", "val", "test")


class DataError(ValueError):
    """A data set on disk is not what its reader was promised; the message names the file or the row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One radiograph.

    Attributes:
        file: path of the image.
        labels: names said to be present; empty for "No Finding".
        known: findings of which the source says anything; what is not in here is unknown, not absent.
        patient: identifies the patient across sources.
        split: `train`, `val` or `test`; empty where nobody has split the data.
        source: where the image came from.
        may_ship: weights trained on this row may be distributed.
        has_box: a radiologist's box exists for it.
        flag: an oddity (inverted, upside down, ...), else empty.
        view: `PA`, `AP`, ... as the source spells it; empty where unknown.
        sex: `M` or `F`; empty where unknown.
        age_years: None where unknown.
    """

    file: Path
    labels: frozenset[str]
    known: frozenset[str]
    patient: str
    split: str = ""
    source: str = ""
    may_ship: bool = True
    has_box: bool = False
    flag: str = ""
    view: str = ""
    sex: str = ""
    age_years: float | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Radiographs with one vocabulary.

    Attributes:
        name: as in `training.data.catalogue`.
        findings: names in the order of a network's outputs.
        rows: all radiographs, of all splits.
        is_exclusive: exactly one finding a row (softmax and accuracy); otherwise any number (sigmoids and AUROC).
        lists: files that say which images there are and what they show, as they were read.
        left_out: images that the lists name and the reader does not take: how many, by reason.
    """

    name: str
    findings: tuple[str, ...]
    rows: tuple[Row, ...]
    is_exclusive: bool = False
    lists: tuple[Path, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def split(self, *names: str) -> list[Row]:
        """Rows of some splits, in order; a data set that nobody has split gives all its rows to each."""
        return [row for row in self.rows if not row.split or row.split in names]

    def describe_split(self, name: str) -> str:
        """What `split` gives, for a heading: `split val`, or `unsplit: all 20 rows`."""
        is_split = any(row.split for row in self.rows)
        return f"split {name}" if is_split else f"unsplit: all {len(self.rows)} rows"

    def labels(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """(N, F) of rows: 1 present, 0 absent, NaN unknown."""
        return label_matrix(rows, self.findings)


def label_matrix(rows: Sequence[Row], findings: Sequence[str] = CHESTXRAY14) -> NDArray[np.float32]:
    """(N, F): 1 present, 0 absent, NaN unknown; a row that does not know a finding is asked for its synonym."""
    values = [[_label(row, name) for name in findings] for row in rows]
    return np.array(values, np.float32).reshape(len(rows), len(findings))


def _label(row: Row, finding: str) -> float:
    name = finding if finding in row.known else SYNONYMS.get(finding, finding)
    return float(name in row.labels) if name in row.known else np.nan


def without_patients_of(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Rows of patients that `others` does not contain."""
    excluded = {row.patient for row in others}
    return [row for row in rows if row.patient not in excluded]
