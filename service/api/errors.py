"""What can go wrong with a request as such, beside what `models.errors` says of its image."""

from models.errors import ThorascopeError


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
