"""What can go wrong with a job as such; what goes wrong with one of its items is in that item's row."""

from models.errors import StoreUnavailableError, ThorascopeError


class LedgerAwayError(StoreUnavailableError):
    """Redis does not answer; to a client it is all one whether the ledger or the files cannot be had."""


class UnknownJobError(ThorascopeError):
    """No job has this id, or none that the asker may know of."""

    code = "unknown-job"


class ExpiredJobError(ThorascopeError):
    """The job was there; it, or what is asked of it, has been purged."""

    code = "expired-job"


class ConflictError(ThorascopeError):
    """The request contradicts what is there: a key used for another body, a table of an unfinished job."""

    code = "conflict"


class OutOfStorageError(ThorascopeError):
    """The upload store is full, or so nearly that nothing new is taken."""

    code = "out-of-storage"


class WorkerLostError(ThorascopeError):
    """Every worker that took this item was lost over it."""

    code = "worker-lost"
