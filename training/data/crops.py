"""Random crops and normalisation: drawn on the host from an owned generator, made there or on the device."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

GREY_MEAN, GREY_STD = 0.5056, 0.252  # ChestX-ray14, as the official code normalises it; kept in the exported graph
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalise(images: Tensor) -> Tensor:
    """uint8 (B, H, W) or (B, 1, H, W) to the float (B, 3, H, W) that networks take."""
    if images.ndim == 3:
        images = images.unsqueeze(1)
    return ((images.float() / 255 - GREY_MEAN) / GREY_STD).expand(-1, 3, -1, -1)


def normalise_by(images: Tensor, statistics: Tensor) -> Tensor:
    """As `normalise`, with statistics of their own for each image.

    Args:
        images: (B, H, W) uint8.
        statistics: (B, 2, 3), mean and deviation of each channel on the scale [0, 1].
    """
    mean, std = statistics[:, :, :, None, None].unbind(1)
    return (images.unsqueeze(1).float() / 255 - mean) / std


def statistics_table(datasets: Sequence[str], normalisation: str) -> Tensor:
    """Mean and deviation of each data set's images: (D, 2, 3).

    Args:
        datasets: names in `training.data.catalogue`.
        normalisation: as in `training.recipes.types.Recipe`.
    """
    grey = torch.tensor([[GREY_MEAN] * 3, [GREY_STD] * 3])
    imagenet = torch.tensor([IMAGENET_MEAN, IMAGENET_STD])
    own = {"chestxray14": grey, "manifest": grey}
    table = {
        "grey": [grey for _ in datasets],
        "imagenet": [imagenet for _ in datasets],
        "per-dataset": [own.get(name, imagenet) for name in datasets],
    }
    return torch.stack(table[normalisation])


def draw_crops(batch: int, scale: tuple[float, float] | None, generator: torch.Generator) -> Tensor:
    """Where to crop: a share of the area at a random place and aspect, half of them mirrored.

    Args:
        batch: number of crops.
        scale: range of the share of the area that is kept; the aspect ratio is drawn log-uniformly from 3/4 to 4/3.
            None keeps the whole picture, and still mirrors half.
        generator: source of all randomness, on the CPU.

    Returns:
        (B, 2, 3) float, from output to input coordinates, both in [-1, 1].

    Source: torchvision's RandomResizedCrop; a crop that would not fit is cut to the image instead of being redrawn.
    """
    low, high = scale or (1.0, 1.0)
    aspects = math.log(4 / 3) if scale else 0.0
    area = torch.empty(batch).uniform_(low, high, generator=generator)
    aspect = torch.empty(batch).uniform_(-aspects, aspects, generator=generator).exp()
    height, width = (area / aspect).sqrt().clamp(max=1), (area * aspect).sqrt().clamp(max=1)
    place = torch.rand(2, batch, generator=generator) * 2 - 1
    mirror = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0)
    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = width * mirror, place[0] * (1 - width)
    theta[:, 1, 1], theta[:, 1, 2] = height, place[1] * (1 - height)
    return theta


def crop(images: Tensor, theta: Tensor, side_px: int) -> Tensor:
    """Cut and resize, bicubic.

    Args:
        images: (B, H, W) uint8.
        theta: (B, 2, 3) from `draw_crops`, on the same device.
        side_px: rows and columns of the result.

    Returns:
        (B, side_px, side_px) uint8.
    """
    with torch.autocast(images.device.type, enabled=False):  # coordinates in bfloat16 are off by up to half a pixel
        grid = functional.affine_grid(theta.float(), [len(images), 1, side_px, side_px], align_corners=False)
        crops = functional.grid_sample(
            images.unsqueeze(1).float(), grid, mode="bicubic", padding_mode="border", align_corners=False
        )
    return crops.squeeze(1).round_().clamp_(0, 255).to(torch.uint8)


def crop_on_host(images: Tensor, theta: Tensor, side_px: int) -> Tensor:
    """Cut and resize on the CPU, bicubic; what is shrunk is smoothed, which `crop` does not do.

    Args:
        images: (B, H, W) uint8.
        theta: (B, 2, 3) from `draw_crops`.
        side_px: rows and columns of the result.

    Returns:
        (B, side_px, side_px) uint8.

    Source: Pillow, by which torchvision's RandomResizedCrop resizes in the official code.
    """
    height, width = images.shape[1:]
    centre, half = (theta[:, :, 2].numpy() + 1) / 2, theta.diagonal(dim1=1, dim2=2).abs().numpy() / 2
    low, high = (centre - half).clip(0, 1) * (width, height), (centre + half).clip(0, 1) * (width, height)
    boxes = np.concatenate([low, high], axis=1).tolist()
    crops = [
        np.asarray(Image.fromarray(image).resize((side_px, side_px), Image.Resampling.BICUBIC, box))
        for image, box in zip(images.numpy(), boxes, strict=True)
    ]
    stacked = torch.from_numpy(np.stack(crops))
    is_mirrored = theta[:, 0, 0] < 0
    return torch.where(is_mirrored[:, None, None], stacked.flip(2), stacked)
