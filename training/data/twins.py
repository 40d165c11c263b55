"""Synthetic twins of the data sets: their files, folders and spellings, and nobody's pictures."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from types import MappingProxyType

import numpy as np

from models.label_rule import NO_FINDING
from models.labels import CHESTXRAY14
from training.data import chestxray14, chexpert, covidx, manifest, mimic
from training.data.boxes import SIDE_PX
from training.data.dataset import DataError
from training.data.splits import is_held_out
from training.data.twin_chexpert import write_chexpert, write_mimic
from training.data.twin_patients import slots
from training.data.twin_pictures import Painter, some_of

FEWEST = 12  # pictures with which every split has some

_ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
_BOXED = {"Infiltration": "Infiltrate"} | {
    name: name for name in ("Atelectasis", "Cardiomegaly", "Effusion", "Mass", "Nodule", "Pneumonia", "Pneumothorax")
}
_COVIDX_SOURCES = {"normal": "rnsa", "pneumonia": "rnsa", "COVID-19": "ricord"}


def write_twin(name: str, folder: Path, *, num: int, seed: int) -> Path:
    """Write a data set that its reader cannot tell from the real one, but for its size.

    Each picture is a drawn chest of 64 x 64 pixels with a bright spot for each finding that is present, so that a
    network can learn them. Every split has patients with several pictures, and every value a label can have occurs.

    Args:
        name: one of `training.data.catalogue.NAMES`.
        folder: made if needed; must be empty.
        num: pictures, at least `FEWEST`; CheXpert and MIMIC-CXR have lateral views besides, and CheXpert two pictures
            of its later test list.
        seed: the same one gives the same files.

    Returns:
        `folder`, the root to read it from.

    Raises:
        DataError: there is no such data set, too few pictures are asked for, or the folder is not empty.
    """
    if name not in _WRITERS:
        raise DataError(f"there is no data set {name!r}; there are {', '.join(_WRITERS)}")
    if num < FEWEST:
        raise DataError(f"a twin has at least {FEWEST} pictures, not {num}")
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    _WRITERS[name](folder, num, np.random.default_rng(seed))
    return folder


def _write_chestxray14(folder: Path, num: int, rng: np.random.Generator) -> None:
    painter = Painter(CHESTXRAY14, rng)
    entries, boxes = [_ENTRY_HEADER], [_BOX_HEADER]
    lists: dict[str, list[str]] = {"train_val_list.txt": [], "test_list.txt": []}
    for number, slot in enumerate(slots(num, _goes_to_val(chestxray14.NAME, "{}", chestxray14.VAL_SHARE))):
        file = f"{slot.patient:08d}_{slot.index:03d}.png"
        present = some_of(CHESTXRAY14, number, rng)
        painter.save(folder / f"images_{1 + number % 2:03d}" / "images" / file, present)
        names = "|".join(sorted(present)) or "No Finding"
        sex, view = "FM"[slot.patient % 2], ("PA", "AP")[number % 2]
        age = 20 + slot.patient % 60
        entries.append(f"{file},{names},{slot.index},{slot.patient},{age},{sex},{view},2500,2048,0.168,0.168")
        lists["test_list.txt" if slot.split == "test" else "train_val_list.txt"].append(file)
        for name in sorted(present & _BOXED.keys()) if slot.split == "test" else ():
            box = painter.place(name)
            edges = (box.left, box.top, box.right - box.left, box.bottom - box.top)
            boxes.append(f"{file},{_BOXED[name]},{','.join(str(edge * SIDE_PX) for edge in edges)}")
    _write_lines(folder / "Data_Entry_2017_v2020.csv", entries)
    _write_lines(folder / "BBox_List_2017.csv", boxes)
    for name, files in lists.items():
        _write_lines(folder / name, files)


def _write_covidx(folder: Path, num: int, rng: np.random.Generator) -> None:
    painter = Painter(covidx.CLASSES, rng)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    classes = tuple(_COVIDX_SOURCES)
    for slot in slots(num, _goes_to_val(covidx.NAME, "P{}", covidx.VAL_SHARE)):
        where = "test" if slot.split == "test" else "train"
        name = classes[rng.integers(len(classes))]
        file = f"P{slot.patient}-{slot.index}.png"
        painter.save(folder / where / file, {name})
        lists[where].append(f"P{slot.patient} {file} {name} {_COVIDX_SOURCES[name]}")
    for where, rows in lists.items():
        _write_lines(folder / f"{where}_COVIDx9A.txt", rows)


def _write_manifest(folder: Path, num: int, rng: np.random.Generator) -> None:
    painter = Painter(CHESTXRAY14, rng)
    with (folder / manifest.FILE).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label", "split", "patient_id", "view", "sex", "age"])
        for number, slot in enumerate(slots(num, lambda patient: patient % 4 == 0)):
            file = f"images/{slot.patient}-{slot.index}.png"
            present = some_of(CHESTXRAY14, number, rng)
            painter.save(folder / file, present)
            names = ";".join(sorted(present)) or NO_FINDING
            writer.writerow([file, names, slot.split, slot.patient, "PA", "FM"[slot.patient % 2], 50])


def _goes_to_val(name: str, spelling: str, share: float) -> Callable[[int], bool]:
    """Whether a reader holds a patient out, by the patient's number and how the data set spells it."""
    return lambda patient: is_held_out(f"{name}:{spelling.format(patient)}", share)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


_WRITERS: MappingProxyType[str, Callable[[Path, int, np.random.Generator], None]] = MappingProxyType(
    {
        chestxray14.NAME: _write_chestxray14,
        chexpert.NAME: write_chexpert,
        mimic.NAME: write_mimic,
        covidx.NAME: _write_covidx,
        manifest.NAME: _write_manifest,
    }
)
