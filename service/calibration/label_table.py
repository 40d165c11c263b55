"""A site's labels: a CSV with a row an image, in the manifest's format of docs/data.md or with a column a finding."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequestError
from models.label_rule import stated_findings

_VALUES: Final = {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "": np.nan, "nan": np.nan}


@dataclass(frozen=True, slots=True)
class LabelTable:
    """What a site knows of N images; those it knows nothing of are counted only.

    Attributes:
        files: as the table spells them, relative to it; none stands there twice.
        labels: (N, F) in the bundle's order of findings, 1 present, 0 absent, NaN unknown.
        patients: N identifiers; the file where the table names none.
        num_unlabelled: images without any label for the bundle's findings.
        ignored: names that rows with a source have and the bundle has not, by how often.
    """

    files: tuple[str, ...]
    labels: NDArray[np.float64]
    patients: tuple[str, ...]
    num_unlabelled: int = 0
    ignored: Counter[str] = field(default_factory=Counter)


def read_label_table(path: Path, findings: Sequence[str]) -> LabelTable:
    """Read a table with at least `file` and either `label` (names joined by `;`) or a column for some findings.

    `models.label_rule` says how `label` is understood: a row that has an `nih_index`, and every row of a table without
    the column `source`, is complete; any other knows only what it names. With a column a finding, 1 is present, 0 is
    absent and nothing is unknown.

    Args:
        path: the CSV.
        findings: of the bundle.

    Raises:
        InvalidRequestError: it cannot be read, a column or a field is missing, a file stands there twice, a value is
            none, or a complete row names what the bundle does not know, nothing at all, or findings beside "No
            Finding".
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            return _table(reader, path.name, findings)
    except OSError as error:
        raise InvalidRequestError(f"{path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"{path.name} is no CSV in UTF-8") from error


def _table(reader: "csv.DictReader[str]", name: str, findings: Sequence[str]) -> LabelTable:
    columns = set(reader.fieldnames or ())
    labelled = "label" in columns or not columns.isdisjoint(findings)
    if "file" not in columns or not labelled:
        raise InvalidRequestError(f"{name} needs the column `file`, and `label` or a column named as a finding is")
    files: dict[str, str] = {}
    labels: list[list[float]] = []
    ignored: Counter[str] = Counter()
    for place, record in _records(reader, name):
        if record["file"] in files:
            raise InvalidRequestError(f"{place}: this file stands there already")
        files[record["file"]] = record.get("patient_group") or record.get("patient_id") or record["file"]
        if "label" in columns:
            labels.append(_named(record, findings, ignored, place))
        else:
            labels.append([_value(record.get(finding, ""), place) for finding in findings])
    matrix = np.array(labels, np.float64).reshape(len(files), len(findings))
    known = np.asarray(~np.isnan(matrix).all(axis=1))
    kept = [pair for pair, is_known in zip(files.items(), known, strict=True) if is_known]
    return LabelTable(
        files=tuple(file for file, _ in kept),
        labels=matrix[known],
        patients=tuple(patient for _, patient in kept),
        num_unlabelled=int((~known).sum()),
        ignored=ignored,
    )


def _records(reader: "csv.DictReader[str]", name: str) -> Iterator[tuple[str, dict[str, str]]]:
    for record in reader:
        place = f"{name} line {reader.line_num}"
        if None in record or None in record.values():  # how csv marks a row that is too long, or too short
            raise InvalidRequestError(f"{place}: not as many fields as the header has")
        yield place, record


def _named(record: dict[str, str], findings: Sequence[str], ignored: Counter[str], place: str) -> list[float]:
    try:
        stated = stated_findings(record, findings)
    except ValueError as error:
        raise InvalidRequestError(f"{place}: {error}") from error
    ignored.update(stated.others)
    return [float(finding in stated.present) if finding in stated.known else np.nan for finding in findings]


def _value(text: str, place: str) -> float:
    try:
        return _VALUES[text.strip().lower()]
    except KeyError:
        raise InvalidRequestError(f"{place}: a finding is 1, 0 or nothing") from None
