"""Patients go to one split each, the same one everywhere."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.dataset import DataError, Row
from training.data.splits import TRAIN_OR_VAL, check_disjoint, fold_of, in_two_splits, is_held_out, is_in_share, settled

NUM_PATIENTS = 4000
SHARE_TOLERANCE = 0.03  # five standard deviations of a share of 0.2 among this many patients


def row(patient: str, split: str) -> Row:
    return Row(Path("a.png"), frozenset(), frozenset(), patient, split)


class TestIsHeldOut:
    def test_the_share_is_that_of_the_patients(self):
        """A hash spreads names evenly."""
        held_out = sum(is_held_out(f"nobody:{number}", 0.2) for number in range(NUM_PATIENTS))

        assert held_out / NUM_PATIENTS == pytest.approx(0.2, abs=SHARE_TOLERANCE)

    def test_a_patient_is_where_the_documentation_says(self):
        """Another hash would move patients between splits of runs that are to be compared."""
        held_out = [number for number in range(20) if is_held_out(f"chestxray14:{number}", 0.2)]

        assert [0, 2, 3, 12] == held_out

    @given(patient=st.text(), smaller=st.floats(0, 1), larger=st.floats(0, 1))
    def test_a_larger_share_holds_out_the_same_and_more(self, patient, smaller, larger):
        """Nobody held out comes back into training when the share grows."""
        smaller, larger = sorted((smaller, larger))

        assert is_held_out(patient, smaller) <= is_held_out(patient, larger)

    @given(patient=st.text())
    def test_nobody_and_everybody_are_the_ends(self, patient):
        """The share is taken of [0, 1)."""
        assert (False, True) == (is_held_out(patient, 0), is_held_out(patient, 1))


class TestIsInShare:
    def test_it_is_independent_of_who_is_held_out(self):
        """By the same hash half of the patients would be three eighths of those who are left to learn from."""
        kept = [name for number in range(NUM_PATIENTS) if not is_held_out(name := f"nobody:{number}", 0.2)]

        assert sum(is_in_share(name, 0.5) for name in kept) / len(kept) == pytest.approx(0.5, abs=0.045)

    @given(patient=st.text(), smaller=st.floats(0, 1), larger=st.floats(0, 1))
    def test_a_larger_share_contains_every_smaller_one(self, patient, smaller, larger):
        """Else a curve over shares would change more than their size."""
        smaller, larger = sorted((smaller, larger))

        assert is_in_share(patient, smaller) <= is_in_share(patient, larger)


def test_settled__changes_only_what_a_list_leaves_open():
    """A published split is never overruled."""
    assert ["test", "train"] == [settled(listed, "anybody", 1) for listed in ("test", "train")]
    assert ["val", "train"] == [settled(TRAIN_OR_VAL, "anybody", share) for share in (1, 0)]


def test_check_disjoint__counts_the_leaking_patients_and_names_one():
    """One patient on both sides makes every held-out number doubtful."""
    rows = [row("a", "train"), row("a", "test"), row("b", "train"), row("c", "val"), row("c", "train")]

    assert {"a": ("test", "train"), "c": ("train", "val")} == in_two_splits(rows)
    with pytest.raises(DataError, match="2 patients are in two splits, among them a in test and train"):
        check_disjoint(rows)


def test_check_disjoint__lets_a_patient_have_many_images():
    """That is the rule rather than the exception."""
    check_disjoint([row("a", "train"), row("a", "train"), row("b", "test")])


class TestFoldOf:
    def test_folds_are_of_equal_size(self):
        """A hash spreads names evenly."""
        counts = np.bincount([fold_of(f"nobody:{number}", 5) for number in range(NUM_PATIENTS)], minlength=5)

        assert counts / NUM_PATIENTS == pytest.approx(0.2, abs=SHARE_TOLERANCE)

    def test_it_is_independent_of_the_held_out_share(self):
        """Folds of the training patients would else be unequal wherever a reader held patients out by the same hash."""
        kept = [name for number in range(NUM_PATIENTS) if not is_held_out(name := f"nobody:{number}", 0.2)]
        counts = np.bincount([fold_of(name, 5) for name in kept], minlength=5)

        assert counts / len(kept) == pytest.approx(0.2, abs=SHARE_TOLERANCE)

    def test_a_patient_is_in_the_same_fold_for_good(self):
        """Another hash would have members score pictures that they learned from, once folds are made anew."""
        assert [2, 0, 0, 2, 2, 1, 4, 1, 1, 0] == [fold_of(f"chestxray14:{number}", 5) for number in range(10)]
