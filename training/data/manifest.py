"""The table of images of any source: one CSV row a radiograph."""

import csv
from pathlib import Path

from models.labels import CHESTXRAY14
from training.data.dataset import SPLITS, DataError, Dataset, Row
from training.data.splits import check_disjoint

NAME = "manifest"
FILE = "manifest.csv"
UNLABELLED = "Unlabelled"
NO_FINDING = "No Finding"

_KNOWN = frozenset(CHESTXRAY14)


def lies_in(root: Path) -> bool:
    """Whether a folder holds a manifest."""
    return (root / FILE).is_file()


def read_folder(path: Path) -> Dataset:
    """A manifest as a data set of the 14 findings; `read_manifest` says how its rows are understood.

    Args:
        path: the CSV, or the folder of a `manifest.csv`.

    Raises:
        DataError: as `read_manifest`; a patient is in two splits, or some rows have a split and others none.
    """
    table = path / FILE if path.is_dir() else path
    rows = tuple(read_manifest(table))
    if len({bool(row.split) for row in rows}) > 1:
        raise DataError(f"{table.name}: some rows have a split, others none")
    check_disjoint(rows)
    return Dataset(NAME, CHESTXRAY14, rows, lists=(table,))


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest CSV with at least `file` and `label` (names joined by `;`).

    A row with an `nih_index` has all 14 labels of ChestX-ray14; a plain CSV without the column `source` is taken to be
    complete too. Any other source knows only the findings it names, and Pneumonia where it says "No Finding"
    (Kermany et al. read for pneumonia alone). "Unlabelled" rows know nothing.

    Raises:
        DataError: there is no such file, a needed column is missing, a row has more or fewer fields than the header or
            names no known split, or a row that is complete names anything but the 14 findings, nothing at all, or
            findings beside "No Finding".
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = {"file", "label"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(f"{path.name} lacks the columns {sorted(missing)}")
            return [_row(record, path.parent, f"{path.name} line {reader.line_num}") for record in reader]
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error


def _row(record: dict[str, str], folder: Path, place: str) -> Row:
    if None in record or None in record.values():  # how csv marks a row that is too long, or too short
        raise DataError(f"{place}: not as many fields as the header has")
    if record.get("split", "") not in ("", *SPLITS):
        raise DataError(f"{place}: the split {record['split']!r} is none of {', '.join(SPLITS)}")
    names = frozenset(filter(None, record["label"].split(";")))
    labels = names & _KNOWN
    if UNLABELLED in names:
        known: frozenset[str] = frozenset()
    elif record.get("nih_index") or "source" not in record:
        known = _KNOWN
        if unknown := sorted(names - _KNOWN - {NO_FINDING}):
            raise DataError(f"{place}: {unknown[0]!r} is none of the 14 findings")
        if not names or (labels and NO_FINDING in names):
            raise DataError(f"{place}: a complete row names findings, or {NO_FINDING!r}; here {record['label']!r}")
    else:
        known = labels | ({"Pneumonia"} if NO_FINDING in names else frozenset())
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
