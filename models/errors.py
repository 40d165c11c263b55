"""What can go wrong with a caller's thing, said once and without knowing HTTP.

Messages are safe to show: they name the rule that was broken, never a value out of a DICOM header.
"""

from collections.abc import Iterable
from typing import ClassVar


class ThorascopeError(Exception):
    """Base of every error raised on purpose; `code` is a stable slug that crosses process boundaries."""

    code: ClassVar[str]


class UnsupportedMediaError(ThorascopeError):
    """The bytes are neither DICOM nor PNG nor JPEG."""

    code = "unsupported-media"


class UndecodableImageError(ThorascopeError):
    """The bytes say they are DICOM, PNG or JPEG, but no image comes out of them."""

    code = "undecodable-image"


class DecoderFaultError(UndecodableImageError):
    """The decoder crashed, stalled, or ran out of memory; to a client the file is undecodable, which it may well be."""


class NotAChestRadiographError(ThorascopeError):
    """The header, or the image gate, says that this is no chest radiograph.

    Attributes:
        reasons: stable slugs of `models.imaging.gate`, at least one, the weightiest first.
    """

    code = "not-a-chest-radiograph"

    def __init__(self, message: str, reasons: Iterable[str]) -> None:
        self.reasons: tuple[str, ...] = tuple(reasons)
        if not self.reasons:
            raise ValueError("a refusal names at least one reason")
        # Both arguments go to Exception, so that the error survives copy and pickle.
        super().__init__(message, self.reasons)

    def __str__(self) -> str:
        return str(self.args[0])


class UploadTooLargeError(ThorascopeError):
    """More bytes than the limit allows; counted while reading."""

    code = "upload-too-large"


class ImageTooLargeError(ThorascopeError):
    """More pixels than the limit allows; told from the header, before pixels are decoded."""

    code = "image-too-large"


class InvalidRequestError(ThorascopeError):
    """A parameter of the request is out of its range."""

    code = "invalid-request"


class OverloadedError(ThorascopeError):
    """The queue is full; the same request may succeed a little later."""

    code = "overloaded"


class StoreUnavailableError(ThorascopeError):
    """The job store cannot be reached; interactive predictions do not need it."""

    code = "store-unavailable"


class InvalidBundleError(ThorascopeError):
    """A bundle breaks its contract. Met when the service starts, never by a client."""

    code = "invalid-bundle"


class CheckpointError(ThorascopeError):
    """A checkpoint does not hold what its reader was promised. Met in training and export, never by a client."""

    code = "invalid-checkpoint"
