"""Patients of a twin: a few pictures each, in splits that no patient shares."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

_ORDER = ("train", "test", "train", "val")  # of patients, over and over
_PICTURES = (2, 1, 3)  # of a patient, over and over


@dataclass(frozen=True, slots=True)
class Slot:
    """One picture to be made.

    Attributes:
        patient: number of the patient, from 1.
        index: number of the picture among the patient's own, from 0.
        split: where the reader will put it.
    """

    patient: int
    index: int
    split: str


def slots(num: int, goes_to_val: Callable[[int], bool]) -> Iterator[Slot]:
    """The first `num` pictures of patients who go to the splits in turn.

    Args:
        num: how many pictures.
        goes_to_val: whether the reader holds this patient out of the training list; numbers of patients are skipped
            until one suits.
    """
    return islice(_endless(goes_to_val), num)


def _endless(goes_to_val: Callable[[int], bool]) -> Iterator[Slot]:
    patient = 0
    for split, pictures in zip(cycle(_ORDER), cycle(_PICTURES), strict=False):
        patient += 1
        while split != "test" and goes_to_val(patient) != (split == "val"):
            patient += 1
        yield from (Slot(patient, index, split) for index in range(pictures))
