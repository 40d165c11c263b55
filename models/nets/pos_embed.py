"""Position embeddings of a square patch grid: sine-cosine tables and resampling to another grid."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def _sincos_1d(dim: int, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    omega = 1.0 / 10000 ** (np.arange(dim // 2, dtype=np.float64) / (dim / 2))
    angles = positions[:, None] * omega[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def sincos_2d(dim: int, grid: int) -> Tensor:
    """Fixed sine-cosine table for a class token and a square grid of patches.

    The first half of the channels encodes the column, the second half the row; in each half all sines come before
    all cosines. The class token's row is zero.

    Args:
        dim: channels, divisible by 4.
        grid: patches a side.

    Returns:
        (1, 1 + grid**2, dim) float32, computed in float64.

    Raises:
        ValueError: `dim` is not divisible by 4.

    Source: facebookresearch/mae, get_2d_sincos_pos_embed ("here w goes first").
    """
    if dim % 4:
        raise ValueError(f"a two-dimensional sine-cosine table needs a multiple of 4 channels, got {dim}")
    rows, columns = np.divmod(np.arange(grid**2, dtype=np.float64), grid)
    table = np.concatenate([_sincos_1d(dim // 2, columns), _sincos_1d(dim // 2, rows)], axis=1)
    return torch.from_numpy(np.concatenate([np.zeros((1, dim)), table])).float().unsqueeze(0)


def resample(pos_embed: Tensor, grid: int) -> Tensor:
    """Carry learned or fixed position embeddings to another grid, bicubic; the class token's row is kept.

    Args:
        pos_embed: (1, 1 + G**2, D), class token first.
        grid: patches a side wanted.

    Returns:
        (1, 1 + grid**2, D); the input itself where the grids agree.

    Raises:
        ValueError: the patch rows do not form a square.

    Source: Touvron et al., DeiT; bicubic without antialiasing and align_corners=False, as released weights expect.
    """
    num_patches = pos_embed.shape[1] - 1
    side = round(num_patches**0.5)
    if side**2 != num_patches:
        raise ValueError(f"{num_patches} position embeddings form no square grid")
    if side == grid:
        return pos_embed
    table = pos_embed[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    table = functional.interpolate(table, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([pos_embed[:, :1], table.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
