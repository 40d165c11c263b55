"""MIMIC-CXR-JPG: 377,110 radiographs of Beth Israel Deaconess, of which the frontal ones are read.

Source: Johnson et al. 2019, arXiv:1901.07042; which views and labels count, arXiv:2210.12843.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.data.chexpert_labels import NO_FINDING, Mention, mentions
from training.data.dataset import DataError, Dataset, Row
from training.data.splits import check_disjoint
from training.data.tables import last_of, needed, records

NAME = "mimic"
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
VIEWS = ("AP", "PA")

_SPLITS = {"train": "train", "validate": "val", "test": "test"}
_Meaning = tuple[frozenset[str], frozenset[str]]  # findings present, findings known
_NOTHING: _Meaning = (frozenset(), frozenset())


def lies_in(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return last_of(root, *_patterns("split")) is not None


def read(root: Path, *, findings: Sequence[str] = FINDINGS, images: str | None = None) -> Dataset:
    """Read the radiographs whose ViewPosition is AP or PA, with the division that is published.

    A finding is present or absent where the report says so, unknown where it is uncertain or not mentioned. Where the
    report says "No Finding", what it does not mention is absent. Eight studies have no labels at all.

    Args:
        root: folder with the three CSV files and the images.
        findings: columns of the CSV, in the order of a network's outputs; "No Finding" may be one.
        images: name of the folder of the images; the first of `files*` where it is not given.

    Raises:
        DataError: a table is missing or broken, tables disagree, or a patient is in two splits.
    """
    if unknown := sorted(set(findings) - {*FINDINGS, NO_FINDING}):
        raise DataError(f"mimic knows no finding {unknown[0]!r}")
    split, metadata, chexpert = (needed(root, *_patterns(name)) for name in ("split", "metadata", "chexpert"))
    folders = sorted(path.name for path in root.glob("files*") if path.is_dir())
    folder = root / (images or next(iter(folders), "files"))
    meanings = _meanings(chexpert, findings)
    split_of = _split_of(split)
    rows: list[Row] = []
    other_views = 0
    for number, (image, subject, study, view) in records(
        metadata, ("dicom_id", "subject_id", "study_id", "ViewPosition")
    ):
        if image not in split_of:
            raise DataError(f"{metadata} line {number}: {image} is in no split of {split.name}, or is there twice")
        which = split_of.pop(image)
        if view not in VIEWS:
            other_views += 1
            continue
        labels, known = meanings.get(study, _NOTHING)
        rows.append(
            Row(
                file=folder / f"p{subject[:2]}/p{subject}/s{study}/{image}.jpg",
                labels=labels,
                known=known,
                patient=f"{NAME}:{subject}",
                split=which,
                source=NAME,
                may_ship=False,  # credentialed data: its use agreement forbids sharing, and does not speak of weights
                view=view,
            )
        )
    if split_of:
        raise DataError(f"{len(split_of)} images of {split} are not in {metadata}, among them {min(split_of)}")
    check_disjoint(rows)
    left_out = {f"view other than {' and '.join(VIEWS)}": other_views} if other_views else {}
    return Dataset(NAME, tuple(findings), tuple(rows), lists=(split, metadata, chexpert), left_out=left_out)


def _patterns(table: str) -> tuple[str, str]:
    return f"mimic-cxr-*-{table}.csv", f"mimic-cxr-*-{table}.csv.gz"


def _split_of(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (image, split) in records(path, ("dicom_id", "split")):
        if split not in _SPLITS:
            raise DataError(f"{path} line {number}: the split {split!r} is none of {', '.join(_SPLITS)}")
        found[image] = _SPLITS[split]
    return found


def _meanings(path: Path, findings: Sequence[str]) -> dict[str, _Meaning]:
    """Findings present and known, by study."""
    columns = tuple(dict.fromkeys((*findings, NO_FINDING)))
    cache: dict[tuple[str, ...], _Meaning] = {}
    found: dict[str, _Meaning] = {}
    for number, (study, *fields) in records(path, ("study_id", *columns)):
        values = tuple(fields)
        if values not in cache:
            cache[values] = _meaning(mentions(columns, values, f"{path} line {number}"), frozenset(findings))
        found[study] = cache[values]
    return found


def _meaning(said: Mapping[str, Mention], findings: frozenset[str]) -> _Meaning:
    present = findings & {finding for finding, mention in said.items() if mention is Mention.PRESENT}
    absent = findings & {finding for finding, mention in said.items() if mention is Mention.ABSENT}
    if said[NO_FINDING] is Mention.PRESENT:
        absent |= findings & {finding for finding, mention in said.items() if mention is Mention.NONE}
    return present, present | absent
