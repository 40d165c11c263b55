"""Changes that mean nothing: a picture cut a little closer, turned, brighter or darker."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_LEAST_AREA = 0.8
_MOST_DEGREES = 3.0
_MOST_CONTRAST = 0.1  # of 1
_MOST_BRIGHTNESS = 0.1  # of white


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture changed by draws of its own; what comes in from outside is black.

    Args:
        images: (B, 1, S, S) float, 0 to 255.
        generator: of the CPU.

    Returns:
        (B, 1, S, S) float, 0 to 255.
    """

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(len(images)).uniform_(low, high, generator=generator).to(images.device)

    scale, angle = draw(_LEAST_AREA, 1).sqrt(), draw(-_MOST_DEGREES, _MOST_DEGREES) * (math.pi / 180)
    right, down = draw(-1, 1) * (1 - scale), draw(-1, 1) * (1 - scale)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    placed = torch.stack([torch.stack([cos, -sin, right], dim=1), torch.stack([sin, cos, down], dim=1)], dim=1)
    grid = functional.affine_grid(placed, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    contrast = 1 + draw(-_MOST_CONTRAST, _MOST_CONTRAST)
    brightness = 255 * draw(-_MOST_BRIGHTNESS, _MOST_BRIGHTNESS)
    return (moved * contrast.view(-1, 1, 1, 1) + brightness.view(-1, 1, 1, 1)).clamp(0, 255)
