"""RandAugment on uint8 crops: timm's operations, drawn from our generator."""

import random
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torch import Tensor

from training.data.crops import GREY_MEAN


class RandAugment:
    """timm's RandAugment for a batch of grey crops.

    timm draws from the process-wide generators of `random` and NumPy. Both are seeded anew for each batch from the
    generator that the run owns, so a resumed run repeats what an uninterrupted one would have drawn.

    Source: Cubuk et al. 2020, arXiv:1909.13719; `rand-m6-mstd0.5-inc1` is the magnitude of arXiv:2210.12843.
    """

    def __init__(self, policy: str) -> None:
        fill = (round(255 * GREY_MEAN),) * 3
        self._transform: Callable[[Image.Image], Image.Image] = rand_augment_transform(
            policy, {"translate_const": 100, "img_mean": fill, "interpolation": Image.Resampling.BICUBIC}
        )

    def __call__(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        """uint8 (B, S, S) on the CPU to the same, each crop changed by its own draw."""
        seed = int(torch.randint(2**31, (1,), generator=generator))
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  # the generator that timm reads
        return torch.stack([torch.from_numpy(self._augment(crop.numpy())) for crop in crops])

    def _augment(self, crop: np.ndarray) -> np.ndarray:
        return np.array(self._transform(Image.fromarray(crop).convert("RGB")).convert("L"))
