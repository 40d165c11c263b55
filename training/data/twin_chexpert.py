"""Twins of CheXpert and MIMIC-CXR-JPG, which share a labeller and therefore four values a label."""

import csv
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from training.data import chexpert, mimic
from training.data.chexpert_labels import NO_FINDING
from training.data.splits import is_held_out
from training.data.twin_patients import Slot, slots
from training.data.twin_pictures import Painter, some_of

_SHARE_UNCERTAIN, _SHARE_ABSENT = 0.1, 0.4  # of the labels that are not present; the others are left blank
_EVERY_OTHER_VIEW = 3  # pictures to one that has a lateral view beside it
_ADDED_TEST = tuple(Slot(99999, index, "added") for index in range(2))  # for test.csv, which is read only on request

Table = list[Sequence[object]]


def write_chexpert(folder: Path, num: int, rng: np.random.Generator) -> None:
    """`train.csv`, `valid.csv` and `test.csv`, the last without metadata, and the pictures."""
    painter = Painter(chexpert.FINDINGS, rng)
    metadata = ("Sex", "Age", "Frontal/Lateral", "AP/PA")
    tables: dict[str, Table] = {name: [("Path", *metadata, *chexpert.FINDINGS)] for name in ("train", "valid")}
    tables["test"] = [("Path", *chexpert.FINDINGS)]
    for number, slot in enumerate((*slots(num, _goes_to_val), *_ADDED_TEST)):
        table = {"test": "valid", "added": "test"}.get(slot.split, "train")
        present, values = _said(chexpert.FINDINGS, number, rng)
        for view in ("frontal", "lateral")[: 1 + (number % _EVERY_OTHER_VIEW == 0)]:
            path = f"{table}/patient{slot.patient:05d}/study{slot.index + 1}/view1_{view}.jpg"
            painter.save(folder / path, present)
            facts = (("Male", "Female")[slot.patient % 2], 60, view.title(), "AP" if view == "frontal" else "")
            described = (path, *values) if table == "test" else (f"CheXpert-v1.0-small/{path}", *facts, *values)
            tables[table].append(described)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)


def write_mimic(folder: Path, num: int, rng: np.random.Generator) -> None:
    """The three tables, with a few columns that nobody reads, and the pictures; one study has no labels."""
    columns = (*mimic.FINDINGS, NO_FINDING)
    painter = Painter(columns, rng)
    split: Table = [("dicom_id", "study_id", "subject_id", "split")]
    metadata: Table = [("dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns")]
    labels: Table = [("subject_id", "study_id", *columns)]
    for number, slot in enumerate(slots(num, lambda patient: patient % 4 == 0)):
        subject, study = 10000000 + slot.patient, 50000000 + number
        present, values = _said(columns, number, rng)
        if number:
            labels.append((subject, study, *values))
        for view in (("AP", "PA")[number % 2], "LATERAL")[: 1 + (number % _EVERY_OTHER_VIEW == 0)]:
            image = "-".join(f"{part:08x}" for part in rng.integers(2**32, size=5))
            painter.save(folder / f"files/p10/p{subject}/s{study}/{image}.jpg", present)
            split.append((image, study, subject, "validate" if slot.split == "val" else slot.split))
            metadata.append((image, subject, study, view, 3056, 2544))
    for name, rows in {"split": split, "metadata": metadata, "chexpert": labels}.items():
        _write_gzipped(folder / f"mimic-cxr-2.0.0-{name}.csv.gz", rows)


def _goes_to_val(patient: int) -> bool:
    return is_held_out(f"{chexpert.NAME}:patient{patient:05d}", chexpert.VAL_SHARE)


def _said(findings: Sequence[str], number: int, rng: np.random.Generator) -> tuple[frozenset[str], list[str]]:
    """Findings of a picture, and what the labeller writes of each; an uncertain one is there every other time."""
    diseases = [name for name in findings if name != NO_FINDING]
    present = some_of(diseases, number, rng)
    values = {name: "1.0" if name in present else _not_present(rng) for name in diseases}
    uncertain = {name for name, value in values.items() if value == "-1.0"}
    values[NO_FINDING] = "" if present or uncertain else "1.0"
    return present | {name for name in uncertain if rng.random() < 0.5}, [values[name] for name in findings]


def _not_present(rng: np.random.Generator) -> str:
    chance = rng.random()
    if chance < _SHARE_UNCERTAIN:
        return "-1.0"
    return "0.0" if chance < _SHARE_UNCERTAIN + _SHARE_ABSENT else ""


def _write_gzipped(path: Path, rows: Iterable[Sequence[object]]) -> None:
    # Without a name and a time in its header, the same rows give the same bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        for row in rows:
            packed.write((",".join(map(str, row)) + "\n").encode())
