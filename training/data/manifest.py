"""The table of images: one CSV row a radiograph, and the label matrix made from it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.labels import CHESTXRAY14

UNLABELLED = "Unlabelled"


@dataclass(frozen=True, slots=True)
class Row:
    """One radiograph of a manifest.

    Attributes:
        file: path of the image, relative to the manifest's folder.
        labels: names said to be present; empty for "No Finding".
        known: findings of which the source says anything; what is not in here is unknown, not absent.
        patient: identifies the patient across sources.
        split: `train` or `val`; empty where the manifest has no such column.
        source: where the image came from.
        may_ship: weights trained on this row may be distributed.
        has_box: a radiologist's box exists for it.
        flag: an oddity (inverted, upside down, ...), else empty.
    """

    file: Path
    labels: frozenset[str]
    known: frozenset[str]
    patient: str
    split: str
    source: str
    may_ship: bool
    has_box: bool
    flag: str


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest CSV with at least `file` and `label` (names joined by `;`).

    A row with an `nih_index` has all 14 labels of ChestX-ray14; a plain CSV without the column `source` is taken to be
    complete too. Any other source knows only the findings it names, and Pneumonia where it says "No Finding"
    (Kermany et al. read for pneumonia alone). "Unlabelled" rows know nothing.

    Raises:
        ValueError: a needed column is missing.
    """
    with path.open(newline="") as stream:
        reader = csv.DictReader(stream)
        missing = {"file", "label"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path.name} lacks the columns {sorted(missing)}")
        return [_row(record, path.parent) for record in reader]


def _row(record: dict[str, str], folder: Path) -> Row:
    names = frozenset(filter(None, record["label"].split(";")))
    labels = names & frozenset(CHESTXRAY14)
    if UNLABELLED in names:
        known: frozenset[str] = frozenset()
    elif record.get("nih_index") or "source" not in record:
        known = frozenset(CHESTXRAY14)
    else:
        known = labels | ({"Pneumonia"} if "No Finding" in names else frozenset())
    return Row(
        file=folder / record["file"],
        labels=labels,
        known=known,
        patient=record.get("patient_group") or record.get("patient_id") or record["file"],
        split=record.get("split", ""),
        source=record.get("source", ""),
        may_ship=record.get("weights_ok", "yes") == "yes",
        has_box=bool(record.get("has_bbox")),
        flag=record.get("flag", ""),
    )


def label_matrix(rows: Sequence[Row], findings: Sequence[str] = CHESTXRAY14) -> NDArray[np.float32]:
    """(N, F): 1 present, 0 absent, NaN unknown."""
    values = [[float(name in row.labels) if name in row.known else np.nan for name in findings] for row in rows]
    return np.array(values, np.float32).reshape(len(rows), len(findings))


def without_patients_of(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Rows of patients that `others` does not contain."""
    excluded = {row.patient for row in others}
    return [row for row in rows if row.patient not in excluded]
