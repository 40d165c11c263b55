"""The two views of momentum contrast: brightness, contrast and blur on the device, from numbers drawn on the host.

Source: Chen et al. 2020, arXiv:2003.04297 (MoCo v2), less what grey images do not have: hue, saturation, greying.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.data.crops import draw_crops
from training.data.steps import Batch

_JITTER, _JITTER_PROBABILITY = 0.4, 0.8
_SIGMA_PX, _BLUR_PROBABILITY = (0.1, 2.0), 0.5
_RADIUS_PX = 4  # two deviations of the widest blur


@dataclass(frozen=True, slots=True)
class ViewDraw:
    """Draws of two views an image: `theta`, `contrast` (B, 2, 2), `sigma` (B, 2), and `order` (B,) to shuffle by.

    Attributes:
        scale: as `training.data.crops.draw_crops`.
    """

    scale: tuple[float, float]

    def __call__(self, rows: NDArray[np.int64], generator: torch.Generator) -> Batch:
        """See the class."""
        batch = len(rows)
        factors = 1 + (torch.rand(batch, 2, 2, generator=generator) * 2 - 1) * _JITTER
        is_jittered = torch.rand(batch, 2, 1, generator=generator) < _JITTER_PROBABILITY
        low, high = _SIGMA_PX
        sigma = torch.empty(batch, 2).uniform_(low, high, generator=generator)
        is_blurred = torch.rand(batch, 2, generator=generator) < _BLUR_PROBABILITY
        return {
            "theta": torch.stack([draw_crops(batch, self.scale, generator) for _ in range(2)], dim=1),
            "contrast": torch.where(is_jittered, factors, 1.0),
            "sigma": torch.where(is_blurred, sigma, 0.0),
            "order": torch.rand(batch, generator=generator),
        }


def jitter(crops: Tensor, factors: Tensor) -> Tensor:
    """Scale brightness, then contrast about the mean.

    Args:
        crops: (B, S, S) uint8.
        factors: (B, 2), of brightness and of contrast; 1 changes nothing.
    """
    brightness, contrast = factors[:, :, None, None].unbind(1)
    bright = (crops.float() * brightness).clamp(0, 255)
    mean = bright.mean(dim=(1, 2), keepdim=True)
    return (mean + (bright - mean) * contrast).round().clamp(0, 255).to(torch.uint8)


def blur(crops: Tensor, sigma_px: Tensor) -> Tensor:
    """Gaussian blur of its own for each image.

    Args:
        crops: (B, S, S) uint8.
        sigma_px: (B,) deviation; 0 changes nothing.
    """
    offsets = torch.arange(-_RADIUS_PX, _RADIUS_PX + 1, device=crops.device, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / sigma_px.clamp(min=1e-3)[:, None]) ** 2)
    kernels = kernels / kernels.sum(dim=1, keepdim=True)  # (B, taps); a sigma of 0 leaves the middle tap alone
    images = functional.pad(crops.unsqueeze(0).float(), [_RADIUS_PX] * 4, mode="reflect")
    rows = functional.conv2d(images, kernels[:, None, :, None], groups=len(crops))
    both = functional.conv2d(rows, kernels[:, None, None, :], groups=len(crops))
    return both.squeeze(0).round().clamp(0, 255).to(torch.uint8)
