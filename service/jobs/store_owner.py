"""Whose the upload store is: a file in it names the ledger whose jobs lie there.

A Redis that is empty, or that of another service, knows none of these jobs and would sweep them up; a share that is not
mounted is an empty folder, in which no job has files. Both are told by the name that is another's, or not there.
"""

from models.errors import StoreUnavailableError
from service.jobs.job import Lane
from service.jobs.ledger import Ledger
from service.jobs.store import Store

OWNER_FILE = "ledger"


class UnclaimedStoreError(StoreUnavailableError):
    """The upload store has no owner: no job was accepted yet, or it is not the store that this ledger's jobs lie in."""


class ForeignStoreError(StoreUnavailableError):
    """The upload store holds another ledger's jobs."""


def require_own_store(ledger: Ledger, store: Store) -> None:
    """See that the jobs of this ledger lie in this store.

    Raises:
        UnclaimedStoreError, ForeignStoreError: they do not; the words are for the operator.
        StoreUnavailableError: there is no telling.
    """
    _require(ledger, _owner_of(store))


def claim_store(ledger: Ledger, store: Store) -> None:
    """The same, before a job is accepted: a store without an owner becomes that of a ledger without jobs."""
    owner = _owner_of(store)
    if owner is None:
        if not _has_jobs(ledger):
            with store.create(OWNER_FILE) as file:
                file.write(ledger.identity().encode())
        owner = _owner_of(store)  # of two that come at once, one has it
    _require(ledger, owner)


def require_claimable(ledger: Ledger, store: Store) -> None:
    """See that `claim_store` would accept them, and write nothing. Raises as that."""
    owner = _owner_of(store)
    if owner is not None or _has_jobs(ledger):
        _require(ledger, owner)


def is_unused(ledger: Ledger, store: Store) -> bool:
    """Whether no job was ever accepted in a store without an owner: the ledger has none, and the store no files."""
    return not _has_jobs(ledger) and not any(store.folders("jobs"))


def _require(ledger: Ledger, owner: str | None) -> None:
    if owner is None:
        raise UnclaimedStoreError(
            f"the upload store has no file {OWNER_FILE!r}, as it has from the first job on: is it mounted, and do the"
            " jobs of this Redis lie there? Until that is clear nothing in it is touched. If they do, write"
            f" {ledger.identity()} into that file"
        )
    if owner != ledger.identity():
        raise ForeignStoreError(
            "the upload store belongs to the jobs of another Redis, so nothing in it is touched. Where that Redis is"
            f" lost for good, delete the store's file {OWNER_FILE!r}: with the next job the store is this one's, and"
            " files of jobs that it does not know are removed a day after they were written"
        )


def _has_jobs(ledger: Ledger) -> bool:
    """Whether it has accepted any: then their store has an owner, and one without is another."""
    return any(map(ledger.backlog, Lane)) or bool(ledger.finished_before(float("inf"), 1))


def _owner_of(store: Store) -> str | None:
    try:
        return store.read(OWNER_FILE).decode(errors="replace").strip()
    except FileNotFoundError:
        return None
