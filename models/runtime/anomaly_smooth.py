"""Smoothing that knows where the picture ends."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def smooth(values: NDArray[np.float32], known: NDArray[np.bool_], sigma_px: float) -> NDArray[np.float32]:
    """Gaussian mean over the known positions alone; 0 elsewhere.

    Args:
        values: (H, W); anything, NaN too, where not known.
        sigma_px: 0 leaves the known values as they are.
    """
    filled = np.where(known, values, np.float32(0))
    if sigma_px == 0:
        return filled
    # What lies outside has weight 0: a plain filter would draw the rim of the picture towards the padding.
    weight = gaussian_filter(known.astype(np.float32), sigma_px, mode="constant")
    blurred = gaussian_filter(filled, sigma_px, mode="constant")
    return np.divide(blurred, weight, out=np.zeros_like(filled), where=known)
