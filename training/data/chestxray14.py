"""NIH ChestX-ray14 as it is published: 112,120 frontal radiographs of 30,805 patients, labels mined from reports.

Source: Wang et al. 2017, arXiv:1705.02315; the division into train, val and test is that of arXiv:2210.12843.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from models.labels import CHESTXRAY14
from training.data.boxes import read_boxes
from training.data.chestxray14_lists import Listed, read_lists
from training.data.dataset import DataError, Dataset, Row
from training.data.splits import check_disjoint, settled
from training.data.tables import last_of, needed, records

NAME = "chestxray14"
VAL_SHARE = 0.13  # of patients, where NIH's lists leave it open; medical_mae's hold out 3,666 of 28,008, 13.1 %

_ENTRY = ("Data_Entry_2017*.csv", "Data_Entry_2017*.csv.gz")
_BOXES = ("BBox_List_2017*.csv",)
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
_NO_FINDING = "No Finding"
_KNOWN = frozenset(CHESTXRAY14)
_YEARS = {"Y": 1.0, "M": 1 / 12, "D": 1 / 365.25}
_OLDEST_YEARS = 120  # the first release has ages up to 414, which are nobody's


def lies_in(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return last_of(root, *_ENTRY) is not None


def read(root: Path) -> Dataset:
    """Read metadata, lists and boxes; images are looked for in `images*/`, `images*/images/` and `root` itself.

    Where medical_mae's `train_official.txt`, `val_official.txt` and `test_official.txt` lie, they divide the images.
    Otherwise NIH's `train_val_list.txt` and `test_list.txt` do, and `VAL_SHARE` of the patients of the former go to
    `val`. An image that is nowhere gets the path it would have in `images/`: `verify` and packing name it.

    Raises:
        DataError: metadata or lists are missing or broken, they disagree with each other, a label is none of the 14
            and not "No Finding", or a patient is in two splits.
    """
    entry = needed(root, *_ENTRY)
    boxes = last_of(root, *_BOXES)
    listed, lists = read_lists(root)
    boxed = {box.file for box in read_boxes(boxes)} if boxes else set()
    folder_of = _folders(root)
    meanings: dict[str, frozenset[str]] = {}
    rows: dict[str, Row] = {}
    unlisted = 0
    for number, (file, names, patient_id, age, sex, view) in records(entry, _COLUMNS):
        if file not in listed:
            unlisted += 1
            continue
        if names not in meanings:
            meanings[names] = _labels(names, f"{entry} line {number}")
        if file in rows:
            raise DataError(f"{entry} line {number}: {file} is there twice")
        patient = f"{NAME}:{patient_id.lstrip('0')}"
        rows[file] = Row(
            file=folder_of.get(file, root / "images") / file,
            labels=meanings[names],
            known=_KNOWN,
            patient=patient,
            split=settled(listed[file].split, patient, VAL_SHARE),
            source=NAME,
            has_box=file in boxed,
            view=view,
            sex=sex if sex in ("F", "M") else "",
            age_years=_age_years(age),
        )
    _check_agreement(rows, listed, entry)
    check_disjoint(tuple(rows.values()))
    sources = (entry, *lists) if boxes is None else (entry, *lists, boxes)
    left_out = {"in no list": unlisted} if unlisted else {}
    return Dataset(NAME, CHESTXRAY14, tuple(rows.values()), lists=sources, left_out=left_out)


def _folders(root: Path) -> dict[str, Path]:
    """Folder of every PNG by its name; a look at a dozen folders is cheaper than one at every image."""
    folders = (root, *sorted(root.glob("images*")), *sorted(root.glob("images*/images")))
    return {
        found.name: folder
        for folder in folders
        if folder.is_dir()
        for found in os.scandir(folder)
        if found.name.endswith(".png")
    }


def _labels(names: str, place: str) -> frozenset[str]:
    found = frozenset(names.split("|"))
    if unknown := sorted(found - _KNOWN - {_NO_FINDING}):
        raise DataError(f"{place}: {unknown[0]!r} is none of the 14 findings")
    if _NO_FINDING in found and len(found) > 1:
        raise DataError(f"{place}: {names!r} names findings beside {_NO_FINDING!r}")
    return found - {_NO_FINDING}


def _age_years(text: str) -> float | None:
    """Years from `58` as in the release of 2020, or `058Y`, `013M`, `001D` as in the first."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _YEARS else (text, "Y")
    if not number.isdecimal():
        return None
    years = int(number) * _YEARS[unit]
    return years if years <= _OLDEST_YEARS else None


def _check_agreement(rows: Mapping[str, Row], listed: Mapping[str, Listed], entry: Path) -> None:
    if absent := sorted(listed.keys() - rows.keys()):
        raise DataError(f"{len(absent)} listed images are not in {entry}, among them {absent[0]}")
    differing = sorted(file for file, row in rows.items() if listed[file].labels not in (None, row.labels))
    if differing:
        raise DataError(
            f"lists and {entry} disagree about the labels of {len(differing)} images, such as {differing[0]}"
        )
