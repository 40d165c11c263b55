"""Who belongs to which split: a share of patients held out by a hash, and the proof that nobody is in two."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from training.data.dataset import DataError, Row

TRAIN_OR_VAL = "train+val"  # what a list leaves open


def is_held_out(patient: str, share: float) -> bool:
    """Whether a patient is among the `share` kept for validation.

    The first eight bytes of the SHA-256 of the name, as a fraction of 2**64, lie below `share`: the same patients on
    every machine, whatever else is in the list.
    """
    return _number_of(patient) < share * 2**64


def is_in_share(patient: str, share: float) -> bool:
    """Whether a patient belongs to a `share` of them to learn from; a larger share contains every smaller one.

    By a hash of its own: those with the lowest of `is_held_out` are held out already.
    """
    return _number_of(f"share of {patient}") < share * 2**64


def fold_of(patient: str, folds: int) -> int:
    """The part of a cross-validation, in 0..folds - 1, to which a patient belongs: a hash, as in `is_held_out`."""
    return _number_of(f"fold of {patient}") % folds


def _number_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def settled(listed: str, patient: str, val_share: float) -> str:
    """The split of an image of a list: the list's own, or `val` or `train` by the patient where it leaves that open."""
    if listed != TRAIN_OR_VAL:
        return listed
    return "val" if is_held_out(patient, val_share) else "train"


def in_two_splits(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """Patients with images in more than one split, and the splits, both sorted."""
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        splits[row.patient].add(row.split)
    return {patient: tuple(sorted(found)) for patient, found in sorted(splits.items()) if len(found) > 1}


def check_disjoint(rows: Sequence[Row]) -> None:
    """Held-out numbers are worth something only where no patient is on both sides.

    Raises:
        DataError: some patient is; the message says how many are and names one.
    """
    if shared := in_two_splits(rows):
        patient, splits = next(iter(shared.items()))
        raise DataError(f"{len(shared)} patients are in two splits, among them {patient} in {' and '.join(splits)}")
