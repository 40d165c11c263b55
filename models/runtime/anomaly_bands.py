"""The signed difference in bands: brighter and darker than painted, broad and fine, in the picture's own units."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.runtime.anomaly_reference import AnomalyReference
from models.runtime.anomaly_smooth import smooth
from models.runtime.graph_spec import BandsSpec

_QUANTILE: Final = 0.75
_NORMAL_QUANTILE: Final = 1.1503  # of |x|, x standard normal: a quiet picture's own unit is then 1
_LEAST_UNIT: Final = 0.25  # of the references' deviation: a picture painted better than that is not magnified further
_LEAST_GREY: Final = 1 / 255  # the same without references


def cut_bands(
    signed: NDArray[np.float32], known: NDArray[np.bool_], widths_px: tuple[float, ...]
) -> NDArray[np.float32]:
    """Subtract from a signed difference its Gaussian mean, once for every width; 0 leaves it whole.

    Args:
        signed: (S, S) image - reconstruction; anything where not known.
        known: (S, S).

    Returns:
        (N, S, S), 0 where not known.
    """
    whole = np.where(known, signed, np.float32(0))
    return np.stack([whole if width == 0 else whole - smooth(whole, known, width) for width in widths_px])


def excess_in_bands(
    signed: NDArray[np.float32],
    known: NDArray[np.bool_],
    spec: BandsSpec,
    smoothing_px: float,
    reference: AnomalyReference | None,
) -> NDArray[np.float32]:
    """Calibrate, weigh by sign, and average over bands and neighbours.

    Each band is standardised by position against the references, then divided by the deviation that most of this
    picture has, to the power of `spec.own_unit`: a picture that is painted badly everywhere has no anomaly everywhere,
    or less of one. What is darker than painted counts `spec.darker` of what is brighter. The map is the root of the
    Gaussian mean of the squares.

    Returns:
        (S, S) not negative, in deviations; 0 where not known.
    """
    bands = cut_bands(signed, known, spec.widths_px)
    least = np.float32(_LEAST_GREY)
    if reference is not None:
        bands, least = reference.standardise(bands), np.float32(_LEAST_UNIT)
    units = [max(np.quantile(np.abs(band[known]), _QUANTILE) / _NORMAL_QUANTILE, least) for band in bands]
    deviations = bands / np.array(units, np.float32)[:, None, None] ** np.float32(spec.own_unit)
    squares = np.maximum(deviations, np.float32(-spec.darker) * deviations) ** 2
    return np.sqrt(np.maximum(smooth(squares.mean(axis=0), known, smoothing_px), np.float32(0)))
