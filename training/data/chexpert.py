"""Stanford CheXpert: 223,414 radiographs for training, labels mined from reports; 234 read by radiologists.

Source: Irvin et al. 2019, arXiv:1901.07031; tasks, policy and splits are those of arXiv:2210.12843.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from training.data.chexpert_labels import NO_FINDING, Mention, mentions
from training.data.dataset import DataError, Dataset, Row
from training.data.splits import TRAIN_OR_VAL, check_disjoint, settled
from training.data.tables import lines, needed, records

NAME = "chexpert"
TASKS = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")
FINDINGS = (
    NO_FINDING,
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
Policy = Literal["official", "ones", "zeros", "ignore"]
VAL_SHARE = 0.05  # of the patients of train.csv; the official code evaluates on the test split alone

_OPTIONAL = ("Sex", "Age", "Frontal/Lateral", "AP/PA")
_U_ONES = frozenset({"Edema", "Atelectasis"})
_DIVISIONS = {
    "valid.csv": {"train.csv": TRAIN_OR_VAL, "valid.csv": "test"},
    "test.csv": {"train.csv": "train", "valid.csv": "val", "test.csv": "test"},
}
_SEXES = {"Female": "F", "Male": "M"}
_Meaning = tuple[frozenset[str], frozenset[str]]  # findings present, findings known


def lies_in(root: Path) -> bool:
    """Whether a folder looks like this data set: many a `train.csv` is somebody else's."""
    table = _home(root) / "train.csv"
    return table.is_file() and "Frontal/Lateral" in next(lines(table), (1, ""))[1]


def read(
    root: Path, *, policy: Policy = "official", findings: Sequence[str] = TASKS, test_list: str = "valid.csv"
) -> Dataset:
    """Read the frontal radiographs.

    Args:
        root: folder with `train.csv`, or the one above it, where that is named `CheXpert-v1.0*`.
        policy: what becomes of an uncertain mention: `official` is present for Edema and Atelectasis, absent for all
            others; `ones` present; `zeros` absent; `ignore` unknown. What is not mentioned is absent.
        findings: columns of the CSV, in the order of a network's outputs; `FINDINGS` has all 14.
        test_list: `valid.csv`, as the paper: `VAL_SHARE` of the patients of `train.csv` are then `val`. With
            `test.csv`, the 500 studies released later, `valid.csv` is `val` and all of `train.csv` is `train`.

    Raises:
        DataError: a list is missing or broken, a label is none of 1, 0, -1 and blank, an option is unknown, or a
            patient is in two splits.
    """
    for value, choices in ((policy, get_args(Policy)), (test_list, tuple(_DIVISIONS))):
        if value not in choices:
            raise DataError(f"chexpert: {value!r} is none of {', '.join(choices)}")
    if unknown := sorted(set(findings) - set(FINDINGS)):
        raise DataError(f"chexpert knows no finding {unknown[0]!r}")
    lists = {needed(_home(root), name): listed for name, listed in _DIVISIONS[test_list].items()}
    found = [row for path, listed in lists.items() for row in _rows(path, findings, policy, listed)]
    rows = tuple(row for row in found if row is not None)
    check_disjoint(rows)
    lateral = len(found) - len(rows)
    left_out = {"lateral view": lateral} if lateral else {}
    return Dataset(NAME, tuple(findings), rows, lists=tuple(lists), left_out=left_out)


def _home(root: Path) -> Path:
    inner = sorted(root.glob("CheXpert-v1.0*/train.csv"))
    return inner[0].parent if inner and not (root / "train.csv").exists() else root


def _rows(path: Path, findings: Sequence[str], policy: Policy, listed: str) -> Iterator[Row | None]:
    """Rows of one list; None where the view is lateral."""
    meanings: dict[tuple[str, ...], _Meaning] = {}
    for number, (published, *fields) in records(path, ("Path", *findings), _OPTIONAL):
        values, (sex, age, side, view) = tuple(fields[: len(findings)]), fields[len(findings) :]
        place = f"{path} line {number}"
        if (side or ("Frontal" if "_frontal" in published else "Lateral")) != "Frontal":
            yield None
            continue
        if values not in meanings:
            meanings[values] = _meaning(mentions(findings, values, place), policy)
        labels, known = meanings[values]
        patient = f"{NAME}:{_patient(published, place)}"
        yield Row(
            file=path.parent / _below_the_release(published),
            labels=labels,
            known=known,
            patient=patient,
            split=settled(listed, patient, VAL_SHARE),
            source=NAME,
            may_ship=False,  # the research use agreement says nothing of weights
            view=view,
            sex=_SEXES.get(sex, ""),
            age_years=float(age) if age.replace(".", "", 1).isdecimal() else None,
        )


def _meaning(said: Mapping[str, Mention], policy: Policy) -> _Meaning:
    unsure = {finding for finding, mention in said.items() if mention is Mention.UNCERTAIN}
    present = {finding for finding, mention in said.items() if mention is Mention.PRESENT}
    known = frozenset(said) - unsure if policy == "ignore" else frozenset(said)
    if policy == "ones":
        present |= unsure
    elif policy == "official":
        present |= unsure & _U_ONES
    return frozenset(present), known


def _below_the_release(published: str) -> str:
    """`CheXpert-v1.0-small/train/patient00001/...`, with either release's name or none, as `train/patient00001/...`."""
    first, _, rest = published.partition("/")
    return rest if first.startswith("CheXpert-v1.0") else published


def _patient(published: str, place: str) -> str:
    for part in published.split("/"):
        if part.startswith("patient"):
            return part
    raise DataError(f"{place}: no patient in the path {published!r}")
