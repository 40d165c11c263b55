"""What an implant does to a picture."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Change:
    """One implant before it is laid into the picture.

    Attributes:
        delta: (H, W) grey levels that are added.
        place: (H, W) bool, where the implant is; outside the delta is a soft rim, or nothing.
    """

    delta: NDArray[np.float64]
    place: NDArray[np.bool_]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """As many draws between 10 and 20 as between 20 and 40."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))
