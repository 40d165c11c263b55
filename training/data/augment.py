"""RandAugment on uint8 crops: timm's operations, drawn from our generator."""

import random
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torch import Tensor

from training.data.crops import GREY_MEAN

NO_AUGMENT = "none"


class RandAugment:
    """timm's RandAugment for a batch of grey crops.

    timm draws from the process-wide generators of `random` and NumPy. Both are seeded anew for each crop with a number
    that the caller drew, so a crop is changed alike in whichever process and batch it lies.

    The operations work on one grey channel. Of a grey picture they make what they would make of three equal ones, in
    under half the time; `Color` does nothing to either.

    Source: Cubuk et al. 2020, arXiv:1909.13719; `rand-m6-mstd0.5-inc1` is the magnitude of arXiv:2210.12843.
    """

    def __init__(self, policy: str) -> None:
        fill = (round(255 * GREY_MEAN),)
        self._transform: Callable[[Image.Image], Image.Image] | None = None
        if policy != NO_AUGMENT:
            self._transform = rand_augment_transform(
                policy, {"translate_const": 100, "img_mean": fill, "interpolation": Image.Resampling.BICUBIC}
            )

    def __call__(self, crops: Tensor, seeds: Tensor) -> Tensor:
        """uint8 (B, S, S) on the CPU to the same; `seeds` (B,) int64 come from `draw_seeds`."""
        if self._transform is None:
            return crops
        changed = []
        for crop, seed in zip(crops, seeds.tolist(), strict=True):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002  # the generator that timm reads
            changed.append(np.array(self._transform(Image.fromarray(crop.numpy()))))
        return torch.from_numpy(np.stack(changed))


def draw_seeds(batch: int, generator: torch.Generator) -> Tensor:
    """A number for each crop: (B,) int64, within what NumPy's old generator takes."""
    return torch.randint(2**32, (batch,), generator=generator)
