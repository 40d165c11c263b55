"""The table of images of any source: one CSV row a radiograph."""

import csv
import math
from pathlib import Path

from models.label_rule import stated_findings
from models.labels import CHESTXRAY14
from training.data.dataset import SPLITS, DataError, Dataset, Row
from training.data.splits import check_disjoint

NAME = "manifest"
FILE = "manifest.csv"


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

    `models.label_rule` says how labels are understood: a row with an `nih_index`, and every row of a plain CSV without
    the column `source`, has all 14 labels; another source knows what it names.

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
                told = ", ".join(reader.fieldnames or ()) or "none"
                raise DataError(f"{path.name} lacks the columns {sorted(missing)}; cut at commas, it has {told}")
            return [_row(record, path.parent, f"{path.name} line {reader.line_num}") for record in reader]
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not in UTF-8") from error


def _row(record: dict[str, str], folder: Path, place: str) -> Row:
    if None in record or None in record.values():  # how csv marks a row that is too long, or too short
        raise DataError(f"{place}: not as many fields as the header has")
    if record.get("split", "") not in ("", *SPLITS):
        raise DataError(f"{place}: the split {record['split']!r} is none of {', '.join(SPLITS)}")
    try:
        stated = stated_findings(record, CHESTXRAY14)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
    return Row(
        file=folder / record["file"],
        labels=stated.present,
        known=stated.known,
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
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
