"""Random crops, flips and normalisation of a whole batch on the device that trains."""

import math

import torch
from torch import Tensor
from torch.nn import functional

GREY_MEAN, GREY_STD = 0.5056, 0.252  # ChestX-ray14, as the official code normalises it; kept in the exported graph


def normalise(images: Tensor) -> Tensor:
    """uint8 (B, H, W) or (B, 1, H, W) to the float (B, 3, H, W) that networks take."""
    if images.ndim == 3:
        images = images.unsqueeze(1)
    return ((images.float() / 255 - GREY_MEAN) / GREY_STD).expand(-1, 3, -1, -1)


def random_resized_crop(images: Tensor, side_px: int, scale: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Crop a share of the area at a random place and aspect, resize it, mirror half of the images.

    Args:
        images: (B, H, W) uint8.
        side_px: rows and columns of the result.
        scale: range of the share of the area that is kept; the aspect ratio is drawn log-uniformly from 3/4 to 4/3.
        generator: source of all randomness, on the CPU.

    Returns:
        (B, side_px, side_px) uint8, bicubic.

    Source: torchvision's RandomResizedCrop; a crop that would not fit is cut to the image instead of being redrawn.
    """
    batch = len(images)
    area = torch.empty(batch).uniform_(*scale, generator=generator)
    aspect = torch.empty(batch).uniform_(math.log(3 / 4), math.log(4 / 3), generator=generator).exp()
    height, width = (area / aspect).sqrt().clamp(max=1), (area * aspect).sqrt().clamp(max=1)
    place = torch.rand(2, batch, generator=generator) * 2 - 1
    mirror = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0)
    theta = torch.zeros(batch, 2, 3)  # output coordinates in [-1, 1] to input coordinates
    theta[:, 0, 0], theta[:, 0, 2] = width * mirror, place[0] * (1 - width)
    theta[:, 1, 1], theta[:, 1, 2] = height, place[1] * (1 - height)
    shape = [batch, 1, side_px, side_px]
    grid = functional.affine_grid(theta.to(images.device), shape, align_corners=False)
    crops = functional.grid_sample(
        images.unsqueeze(1).float(), grid, mode="bicubic", padding_mode="border", align_corners=False
    )
    return crops.squeeze(1).round_().clamp_(0, 255).to(torch.uint8)
