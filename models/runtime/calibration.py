"""Logits -> calibrated probabilities. In float64: float32 has no number between 1 - 6e-8 and 1."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.runtime.manifest import Calibration

_TAIL_START: Final = 16.0


def calibrated_probability(
    logits: NDArray[np.floating], slope: NDArray[np.float64], intercept: NDArray[np.float64]
) -> NDArray[np.float64]:
    """sigmoid(slope * logit + intercept), strictly between 0 and 1 and strictly rising where float64 allows it.

    With z = slope * logit + intercept, two float32 logits give two probabilities wherever -700 <= z <= 1000, unless
    both lie so near 0 that the sigmoid itself cannot tell them apart (closer than 1e-9).

    Above z = 16 the sigmoid is 1 to six significant digits and soon has no float64 numbers left. From there the
    distance to 1 shrinks as 1/z instead of exp(-z): within 1.2e-7 of the sigmoid, and the order of the logits survives.

    Args:
        logits: (B, F).
        slope: (F,), positive.
        intercept: (F,).

    Returns:
        (B, F), six significant digits equal to the sigmoid's.
    """
    z = slope * logits.astype(np.float64) + intercept
    tail = 1 - np.exp(-_TAIL_START) * _TAIL_START / np.maximum(z, _TAIL_START)
    return np.where(z < _TAIL_START, expit(z), tail)


def calibrate(logits: NDArray[np.floating], calibrations: Sequence[Calibration]) -> NDArray[np.float64]:
    """`calibrated_probability` (B, F) of logits (B, F), with one calibration a finding."""
    slope = np.array([one.slope for one in calibrations])
    return calibrated_probability(logits, slope, np.array([one.intercept for one in calibrations]))
