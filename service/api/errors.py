"""What can go wrong with a request as such, beside what `models.errors` says of its image."""

from dataclasses import dataclass
from typing import Literal

from models.errors import InvalidRequestError, ThorascopeError

Place = Literal["query", "form"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one parameter; `message` repeats no value that could be anything."""

    place: Place
    name: str
    message: str


class InvalidParametersError(InvalidRequestError):
    """Parameters of a request are wrong, and these are they."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__(*faults)

    def __str__(self) -> str:
        return "; ".join(f"{fault.name}: {fault.message}" for fault in self.faults)


class NotAcceptableError(ThorascopeError):
    """None of the media types in `Accept` can be given."""

    code = "not-acceptable"


class UploadTimeoutError(ThorascopeError):
    """The client did not finish its body in time."""

    code = "upload-timeout"


class NotReadyError(ThorascopeError):
    """The service is starting or stopping."""

    code = "not-ready"


class NotFoundError(ThorascopeError):
    """The address is well formed, but nothing has that name."""

    code = "not-found"
