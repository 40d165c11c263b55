"""The two kinds of lists that divide ChestX-ray14: NIH's names, and medical_mae's names with labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.labels import CHESTXRAY14
from training.data.dataset import DataError
from training.data.splits import TRAIN_OR_VAL
from training.data.tables import lines

NIH = {"train_val_list.txt": TRAIN_OR_VAL, "test_list.txt": "test"}
OFFICIAL_CODE = {"train_official.txt": "train", "val_official.txt": "val", "test_official.txt": "test"}


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list says of an image.

    Attributes:
        split: `train`, `val`, `test`, or `TRAIN_OR_VAL` where the list leaves that open.
        labels: findings present; None where the list has names alone.
    """

    split: str
    labels: frozenset[str] | None = None


def read_lists(root: Path) -> tuple[dict[str, Listed], tuple[Path, ...]]:
    """What is listed, by file name, and the lists it comes from: medical_mae's where they lie there, else NIH's.

    Raises:
        DataError: neither set of lists is complete, a line has another number of fields than the others, a label is
            neither 0 nor 1, or an image is listed twice.
    """
    kind = OFFICIAL_CODE if any((root / name).exists() for name in OFFICIAL_CODE) else NIH
    if missing := [name for name in kind if not (root / name).exists()]:
        raise DataError(f"{root} lacks {' and '.join(missing)}")
    listed: dict[str, Listed] = {}
    for name, split in kind.items():
        for place, file, entry in _read(root / name, split, with_labels=kind is OFFICIAL_CODE):
            if file in listed:
                raise DataError(f"{place}: {file} is already listed, for {listed[file].split}")
            listed[file] = entry
    return listed, tuple(root / name for name in kind)


def _read(path: Path, split: str, *, with_labels: bool) -> Iterator[tuple[str, str, Listed]]:
    width = 1 + with_labels * len(CHESTXRAY14)
    meanings: dict[str, Listed] = {}
    for number, text in lines(path):
        file, *values = text.split()
        place = f"{path} line {number}"
        if len(values) + 1 != width:
            raise DataError(f"{place}: {len(values) + 1} fields where there should be {width}")
        key = " ".join(values)
        if key not in meanings:
            if wrong := [value for value in values if value not in ("0", "1")]:
                raise DataError(f"{place}: the label {wrong[0]!r} is neither 0 nor 1")
            present = frozenset(name for name, value in zip(CHESTXRAY14, values, strict=False) if value == "1")
            meanings[key] = Listed(split, present if with_labels else None)
        yield place, file, meanings[key]
