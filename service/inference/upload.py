"""From untrusted bytes to what a model needs: the work of a decoder process."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import NotAChestRadiographError
from models.imaging.decode import decode
from models.imaging.gate import GateResult, Verdict, check
from models.imaging.geometry import Placement
from models.imaging.preprocess import InputContract, ModelInput, prepare
from models.imaging.radiograph import Header, ImageFormat


@dataclass(frozen=True, slots=True)
class DecodeOrder:
    """What is to be done with the bytes.

    Attributes:
        contract: how the model wants to see the picture.
        limit_px: largest picture.
        refuse_rejected: whether the gate's verdict "rejected" is an error.
        keep_pixels: whether the picture in source space is wanted too.
    """

    contract: InputContract
    limit_px: int
    refuse_rejected: bool = True
    keep_pixels: bool = False


@dataclass(frozen=True, slots=True)
class DecodedUpload:
    """One upload, decoded.

    Attributes:
        format: container it came in.
        header: None for PNG and JPEG.
        pixels: (H, W) uint8 in source space, where the order asked for it.
        decode_ms: time the decoder process took.
    """

    model_input: ModelInput
    format: ImageFormat
    header: Header | None
    gate: GateResult
    pixels: NDArray[np.uint8] | None = None
    decode_ms: float = 0.0

    @property
    def placement(self) -> Placement:
        """Where the picture lies in the model image."""
        return self.model_input.letterbox


def decode_upload(content: bytes, order: DecodeOrder) -> DecodedUpload:
    """Decode, gate and prepare one file.

    Raises:
        UnsupportedMediaError, UndecodableImageError, ImageTooLargeError: from `models.imaging.decode`.
        NotAChestRadiographError: the gate rejects it and `order` refuses such.
    """

    def check_header(header: Header) -> None:
        # Told by its header, a foot needs no decoding; and what is wrong is named even where the pixels are damaged.
        _refuse(check(header, None), order)

    radiograph = decode(content, limit_px=order.limit_px, check_header=check_header)
    gate = check(radiograph.header, radiograph.pixels, coloured=radiograph.coloured, aspect=radiograph.aspect)
    _refuse(gate, order)
    return DecodedUpload(
        model_input=prepare(radiograph, order.contract),
        format=radiograph.format,
        header=radiograph.header,
        gate=gate,
        pixels=radiograph.pixels if order.keep_pixels else None,
    )


def _refuse(gate: GateResult, order: DecodeOrder) -> None:
    if gate.verdict is Verdict.REJECTED and order.refuse_rejected:
        score = "" if gate.score is None else f" (score {gate.score:.3f})"
        raise NotAChestRadiographError(f"refused by the gate: {', '.join(gate.reasons)}{score}", gate.reasons)
