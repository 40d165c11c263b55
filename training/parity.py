"""Does an exported graph still say what the network says? Measured on pictures, before a manifest is written."""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import nn

from models.runtime.session import Session

LOGIT_TOLERANCE = 1e-4  # of max(1, |logit|): float32 sums in another order
MAP_TOLERANCE = 1e-4  # of each map's own maximum: a raw map may peak at 1e-3, where an absolute bound proves nothing
RECONSTRUCTION_TOLERANCE = 1e-4  # of the grey scale [0, 1]
# What rounding weights may cost. With large ones as int8 the committee of bundle 0.6.0 was off by 0.021 in logits and
# 0.027 in maps at most, over 48 held-out pictures (0.014 and 0.017 over the first eight); with all as float16 by 0.011
# and 0.003, over 24.
STORED_LOGIT_TOLERANCES = {"float16": 2e-2, "int8": 4e-2}
STORED_MAP_TOLERANCES = {"float16": 2e-2, "int8": 4e-2}
STORED_RECONSTRUCTION_TOLERANCES = {"float16": 4e-3, "int8": 8e-3}  # one grey level of 255, and two
GRADCAM_TOLERANCE = 1e-3  # of scaled maps: min-max adds 1e-7 to its divisor, so a faint map is scaled a little less
FAINT_MAP = 1e-5  # below this a raw map is rounding noise


class ParityError(ValueError):
    """An exported graph differs from its network by more than the tolerance."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """Largest differences over the pictures tried.

    Attributes:
        logits: of max(1, |logit|).
        maps: of each map's own maximum, over maps that are not faint; 0 where all are.
        num_maps: maps compared.
    """

    logits: float
    maps: float
    num_maps: int

    def require(self, logits: float, maps: float, what: str) -> None:
        """Raises ParityError where a tolerance is exceeded, or where no map was compared."""
        if not (self.logits <= logits and self.maps <= maps and self.num_maps > 0):
            raise ParityError(f"{what}: {asdict(self)}, allowed are logits {logits}, maps {maps}")


def classifier_deviation(
    expected: tuple[NDArray[np.float32], NDArray[np.float32]], actual: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> Deviation:
    """Compare logits (N, F) and maps (N, F, G, G) of the same pictures."""
    (logits, maps), (other_logits, other_maps) = expected, actual
    peaks = maps.max(axis=(2, 3))
    bright = peaks > FAINT_MAP
    map_error = np.abs(maps - other_maps).max(axis=(2, 3))
    return Deviation(
        logits=float((np.abs(logits - other_logits) / np.maximum(1, np.abs(logits))).max()),
        maps=float((map_error[bright] / peaks[bright]).max()) if bright.any() else 0.0,
        num_maps=int(bright.sum()),
    )


def scaled_like_gradcam(maps: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    """Raw maps (B, F, G, G) scaled as pytorch-grad-cam does: min-max at the grid, resize, min-max again."""
    batch, findings = maps.shape[:2]
    return np.stack([scale_cam_image(scale_cam_image(image, (side_px, side_px))) for image in maps]).reshape(
        batch, findings, side_px, side_px
    )


@torch.inference_mode()
def run_module(module: nn.Module, *inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], ...]:
    """Results of a module, image by image (the first input's first axis), as arrays."""
    first, *rest = [torch.from_numpy(np.array(part)) for part in inputs]
    parts = [module(image.unsqueeze(0), *rest) for image in first]
    return tuple(torch.cat(column).numpy() for column in zip(*parts, strict=True))


def run_session(
    session: Session, outputs: tuple[str, ...], images: NDArray[np.uint8], **constants: NDArray[np.int64]
) -> tuple[NDArray[np.float32], ...]:
    """Results of a session, image by image: (B, ...) for each output."""
    parts = [session.run({"image": image[None], **constants}, outputs) for image in images]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def reconstruction_deviation(
    expected: tuple[NDArray[np.float32], ...], actual: tuple[NDArray[np.float32], ...]
) -> float:
    """Largest difference of reconstruction or spread, in [0, 1]; infinite where NaN is not in the same places."""
    worst = 0.0
    for one, other in zip(expected, actual, strict=True):
        if not np.array_equal(np.isnan(one), np.isnan(other)):
            return float("inf")
        worst = max(worst, float(np.nanmax(np.abs(one - other))))
    return worst
