"""Errors cross processes: their codes are stable, and they survive a pickle."""

import pickle

import pytest

from models import errors
from models.errors import NotAChestRadiographError, ThorascopeError, UndecodableImageError

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ThorascopeError)][1:]


def test_codes_are_slugs_and_differ():
    codes = [kind.code for kind in ALL if ThorascopeError in kind.__bases__]

    assert len(set(codes)) == len(codes) == 10
    assert all(code.replace("-", "").isalpha() and code.islower() for code in codes)


def test_a_finer_distinction_keeps_the_code_of_what_it_is():
    """Clients branch on the code: what is told apart inside is one thing to them."""
    finer = [kind for kind in ALL if ThorascopeError not in kind.__bases__]

    assert [UndecodableImageError.code] == [kind.code for kind in finer]


def test_a_refusal_survives_a_pickle():
    error = pickle.loads(pickle.dumps(NotAChestRadiographError("the header names another part", ["body-part"])))  # noqa: S301

    assert ("the header names another part", ("body-part",)) == (str(error), error.reasons)


def test_a_refusal_names_a_reason():
    with pytest.raises(ValueError, match="at least one"):
        NotAChestRadiographError("for no reason", [])
