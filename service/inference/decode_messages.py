"""Orders and results of decoder processes as frames; a result is checked as anything untrusted is."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import (
    ImageTooLargeError,
    NotAChestRadiographError,
    ThorascopeError,
    UndecodableImageError,
    UnsupportedMediaError,
)
from models.imaging.gate import GateResult, Verdict
from models.imaging.preprocess import Geometry, InputContract, ModelInput
from models.imaging.radiograph import Header, ImageFormat
from service.inference.upload import DecodedUpload, DecodeOrder
from service.inference.wire import BrokenWireError

_ERROR_BY_CODE: dict[str, type[ThorascopeError]] = {
    error.code: error for error in (UnsupportedMediaError, UndecodableImageError, ImageTooLargeError)
}
_TEXT_LIMIT = 300


def order_to_header(order: DecodeOrder) -> dict[str, Any]:
    """An order as JSON."""
    return asdict(order)


def order_from_header(header: dict[str, Any]) -> DecodeOrder:
    """Inverse of `order_to_header`; it comes from our own parent and is believed."""
    contract = header["contract"]
    return DecodeOrder(
        contract=InputContract(contract["side"], Geometry(contract["geometry"]), contract["padding"]),
        limit_px=header["limit_px"],
        refuse_rejected=header["refuse_rejected"],
        keep_pixels=header["keep_pixels"],
    )


def result_to_frame(result: DecodedUpload) -> tuple[dict[str, Any], list[memoryview]]:
    """A result as JSON and the bytes of its one or two arrays."""
    placement = result.model_input.letterbox
    header = {
        "height": placement.height,
        "width": placement.width,
        "aspect": placement.aspect,
        "format": result.format,
        "header": None if result.header is None else asdict(result.header),
        "gate": asdict(result.gate),
        "decode_ms": result.decode_ms,
    }
    arrays = [result.model_input.image] + ([] if result.pixels is None else [result.pixels])
    return header, [np.ascontiguousarray(array).data.cast("B") for array in arrays]


def error_to_header(error: ThorascopeError) -> dict[str, Any]:
    """An error as data."""
    reasons = list(error.reasons) if isinstance(error, NotAChestRadiographError) else []
    return {"error": error.code, "message": str(error), "reasons": reasons}


def result_from_frame(header: dict[str, Any], parts: Sequence[bytearray], order: DecodeOrder) -> DecodedUpload:
    """Inverse of `result_to_frame`.

    Raises:
        ThorascopeError: the frame is an error, or a code nobody knows (then `UndecodableImageError`).
        BrokenWireError: the frame is not what `order` asks for.
    """
    try:
        if "error" in header:
            raise _error_from(header)
        height, width = _size(header, order.limit_px)
        side = order.contract.side
        placement = order.contract.place(height, width, _number(header["aspect"]))
        return DecodedUpload(
            model_input=ModelInput(_image(parts[0], side, side), placement),
            format=ImageFormat(header["format"]),
            header=None if header["header"] is None else _header_from(header["header"]),
            gate=_gate_from(header["gate"]),
            pixels=_image(parts[1], height, width) if order.keep_pixels else None,
            decode_ms=_number(header["decode_ms"]),
        )
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise BrokenWireError("the result is not what was ordered") from error


def _size(header: dict[str, Any], limit_px: int) -> tuple[int, int]:
    height, width = int(header["height"]), int(header["width"])
    if height * width > limit_px:
        raise ValueError("a larger picture than may be decoded")
    return height, width


def _error_from(header: dict[str, Any]) -> ThorascopeError:
    message = _text(header["message"]) or "no picture comes out of the file"
    reasons = [_text(reason) or "unknown" for reason in header["reasons"]]
    if header["error"] == NotAChestRadiographError.code and reasons:
        return NotAChestRadiographError(message, reasons)
    return _ERROR_BY_CODE.get(str(header["error"]), UndecodableImageError)(message)


def _header_from(values: dict[str, Any]) -> Header:
    return Header(**{str(name): _text(value) for name, value in values.items()})


def _gate_from(values: dict[str, Any]) -> GateResult:
    score = values["score"]
    reasons = tuple(_text(reason) or "unknown" for reason in values["reasons"])
    return GateResult(Verdict(values["verdict"]), reasons, None if score is None else _number(score))


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def _text(value: object) -> str | None:
    """A short printable text; None stays None."""
    return None if value is None else "".join(filter(str.isprintable, str(value)))[:_TEXT_LIMIT]


def _image(content: bytearray, height: int, width: int) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8).reshape(height, width)
