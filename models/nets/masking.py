"""Which patches stay visible: masks are data, made from noise that the caller owns."""

from typing import NamedTuple

import torch
from torch import Tensor


class Masking(NamedTuple):
    """One mask for each image of a batch.

    Attributes:
        ids_keep: (B, V) int64, the visible patches in shuffled order.
        ids_restore: (B, L) int64, position of each patch in the shuffled order (inverse of the shuffle).
        mask: (B, L) float, 1 = hidden, 0 = visible, in image order.
        ids_hidden: (B, L - V) int64, the other patches in shuffled order.
    """

    ids_keep: Tensor
    ids_restore: Tensor
    mask: Tensor
    ids_hidden: Tensor


def keep_count(num_patches: int, mask_ratio: float) -> int:
    """Number of patches that stay visible.

    Truncates in floating point, as the reference code does: 19 of 196 at 0.90, and 9 of 100.

    Raises:
        ValueError: no patch would stay visible, or none would be hidden.
    """
    count = int(num_patches * (1 - mask_ratio))
    if not 0 < count < num_patches:
        raise ValueError(f"a mask ratio of {mask_ratio} leaves {count} of {num_patches} patches visible")
    return count


def mask_from_noise(noise: Tensor, num_keep: int) -> Masking:
    """Keep the `num_keep` patches with the smallest noise.

    Args:
        noise: (B, L), any values that give an order.
        num_keep: patches that stay visible in each image.

    Source: He et al. 2022, arXiv:2111.06377, section 3 (shuffle, keep the head, unshuffle).
    """
    ids_shuffle = noise.argsort(dim=1, stable=True)
    ids_restore = ids_shuffle.argsort(dim=1)
    mask = (ids_restore >= num_keep).to(noise.dtype if noise.is_floating_point() else torch.float32)
    return Masking(ids_shuffle[:, :num_keep], ids_restore, mask, ids_shuffle[:, num_keep:])


def take_tokens(tokens: Tensor, ids: Tensor) -> Tensor:
    """Pick tokens by index: (B, N, D) and (B, V) give (B, V, D)."""
    return tokens.gather(1, ids.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
