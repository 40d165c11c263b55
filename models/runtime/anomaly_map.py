"""From a reconstruction to a map and a score. Padding takes no part in either."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidBundleError
from models.runtime.anomaly_bands import excess_in_bands
from models.runtime.anomaly_reference import AnomalyReference
from models.runtime.anomaly_smooth import smooth
from models.runtime.manifest import ReconstructorSpec

Content = tuple[int, int, int, int]  # (top, left, bottom, right) of the picture in the model image, half-open


@dataclass(frozen=True, slots=True)
class AnomalyMap:
    """How far one picture departs from its reconstruction. All arrays (S, S) float32.

    Attributes:
        reconstruction: in the scale [0, 1] of the image; mean over the passes that hid the patch; NaN where none did.
        difference: |image - reconstruction|; NaN as above, 0 in the padding.
        spread: standard deviation over those passes, large where texture is hard to paint; NaN and 0 as above.
        calibrated: not negative; standard deviations above the normal references where the bundle has some, else
            the difference itself; smoothed; 0 in the padding and where no pass hid the patch. Of a bundle with bands:
            as `anomaly_bands.excess_in_bands` has it, then `AnomalyReference.beyond_normal`.
        scaled: `calibrated` as it is shown and boxed, in [0, 1].
        score: mean of `calibrated` over the picture.
        percentile: of the score among the normal references, 0 to 100; None where there are none to compare with.
    """

    reconstruction: NDArray[np.float32]
    difference: NDArray[np.float32]
    spread: NDArray[np.float32]
    calibrated: NDArray[np.float32]
    scaled: NDArray[np.float32]
    score: float
    percentile: float | None


@dataclass(frozen=True, slots=True)
class Painting:
    """One image and what the graph painted: (S, S) each."""

    image: NDArray[np.uint8]
    reconstruction: NDArray[np.float32]
    spread: NDArray[np.float32]


def measure(
    painting: Painting, content: Content, spec: ReconstructorSpec, reference: AnomalyReference | None
) -> AnomalyMap:
    """Calibrate, smooth and score one painting.

    Raises:
        InvalidBundleError: no pixel of the picture was reconstructed.
    """
    top, left, bottom, right = content
    inside = np.zeros(painting.image.shape, np.bool_)
    inside[top:bottom, left:right] = True
    signed = painting.image.astype(np.float32) / np.float32(255) - painting.reconstruction
    difference = np.abs(signed)
    known = inside & np.isfinite(difference)
    if not known.any():
        raise InvalidBundleError("the reconstructor painted nothing of the picture")
    if spec.bands is None:
        raw = difference if reference is None else reference.excess(difference)
        calibrated = smooth(raw, known, spec.smoothing_px)
    else:
        drawn = excess_in_bands(signed, known, spec.bands, spec.smoothing_px, reference)
        calibrated = drawn if reference is None else np.where(known, reference.beyond_normal(drawn), np.float32(0))
    score = float(calibrated[known].mean(dtype=np.float64))
    return AnomalyMap(
        reconstruction=painting.reconstruction,
        difference=np.where(inside, difference, np.float32(0)),
        spread=np.where(inside, painting.spread, np.float32(0)),
        calibrated=calibrated,
        scaled=_scale(calibrated, spec.map_scale),
        score=score,
        percentile=None if reference is None else reference.percentile(score),
    )


def _scale(calibrated: NDArray[np.float32], full: float | None) -> NDArray[np.float32]:
    top = np.float32(calibrated.max() if full is None else full)
    return np.clip(calibrated / top, 0, 1) if top > 0 else np.zeros_like(calibrated)
