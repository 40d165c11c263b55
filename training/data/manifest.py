"""The table of images of any source: one CSV row a radiograph."""

import csv
from pathlib import Path

from models.labels import CHESTXRAY14
from training.data.dataset import DataError, Dataset, Row

UNLABELLED = "Unlabelled"


def read_folder(path: Path) -> Dataset:
    """A manifest as a data set of the 14 findings; `read_manifest` says how its rows are understood."""
    return Dataset("manifest", CHESTXRAY14, tuple(read_manifest(path)))


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest CSV with at least `file` and `label` (names joined by `;`).

    A row with an `nih_index` has all 14 labels of ChestX-ray14; a plain CSV without the column `source` is taken to be
    complete too. Any other source knows only the findings it names, and Pneumonia where it says "No Finding"
    (Kermany et al. read for pneumonia alone). "Unlabelled" rows know nothing.

    Raises:
        DataError: a needed column is missing.
    """
    with path.open(newline="") as stream:
        reader = csv.DictReader(stream)
        missing = {"file", "label"} - set(reader.fieldnames or ())
        if missing:
            raise DataError(f"{path.name} lacks the columns {sorted(missing)}")
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
        view=record.get("view", ""),
        sex=record.get("sex", ""),
        age_years=_number(record.get("age", "")),
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
