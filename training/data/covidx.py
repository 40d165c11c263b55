"""COVIDx 9A, gathered by COVID-Net: exclusive classes, 30,130 radiographs for training and 400 for testing.

Source: github.com/lindawangg/COVID-Net; splits and classes as in arXiv:2210.12843.
"""

from collections.abc import Iterator
from pathlib import Path

from training.data.dataset import DataError, Dataset, Row
from training.data.splits import TRAIN_OR_VAL, check_disjoint, settled
from training.data.tables import lines

NAME = "covidx"
CLASSES = ("normal", "positive", "pneumonia", "COVID-19")  # the order of the official code; 9A says "positive" nowhere
VAL_SHARE = 0.1  # of the patients of the training list; the official code evaluates on the test list alone

_KNOWN = frozenset(CLASSES)
_LISTS = {"train": "train_COVIDx9A.txt", "test": "test_COVIDx9A.txt"}


def lies_in(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return (root / _LISTS["train"]).is_file()


def read(root: Path) -> Dataset:
    """Read both lists; the images lie in `train/` and `test/`.

    A patient is known by the first field alone: the lists spell one source both `rsna` and `rnsa`.

    Raises:
        DataError: a list is missing or broken, a class is none of the four, or a patient is in two splits.
    """
    rows = tuple(row for folder in _LISTS for row in _rows(root, folder))
    check_disjoint(rows)
    lists = tuple(root / name for name in _LISTS.values())
    return Dataset(NAME, CLASSES, rows, is_exclusive=True, lists=lists)


def _rows(root: Path, folder: str) -> Iterator[Row]:
    path = root / _LISTS[folder]
    listed = TRAIN_OR_VAL if folder == "train" else folder
    for number, text in lines(path):
        fields = text.split(" ")
        if len(fields) != 4:
            raise DataError(f"{path} line {number}: {len(fields)} fields where there should be 4")
        patient_id, file, name, source = fields
        if name not in CLASSES:
            raise DataError(f"{path} line {number}: {name!r} is none of {', '.join(CLASSES)}")
        patient = f"{NAME}:{patient_id}"
        yield Row(
            file=root / folder / file,
            labels=frozenset({name}),
            known=_KNOWN,
            patient=patient,
            split=settled(listed, patient, VAL_SHARE),
            source=source,
            may_ship=False,  # many sources, each under terms of its own
        )
