"""Crops on the device: right size, right share, owned randomness."""

import numpy as np
import pytest
import torch

from training.data.augment import RandAugment
from training.data.crops import GREY_MEAN, GREY_STD, normalise, random_resized_crop


def ramp(batch: int = 16, side: int = 64) -> torch.Tensor:
    """Brightness rises to the right and downwards."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((x + y) * (255 / (2 * side - 2))).to(torch.uint8).expand(batch, -1, -1)


def crop(seed: int, scale: tuple[float, float]) -> torch.Tensor:
    return random_resized_crop(ramp(), 48, scale, torch.Generator().manual_seed(seed))


def test_the_same_generator_gives_the_same_crops():
    """Resuming repeats them."""
    assert torch.equal(crop(1, (0.5, 1.0)), crop(1, (0.5, 1.0)))
    assert not torch.equal(crop(1, (0.5, 1.0)), crop(2, (0.5, 1.0)))


def test_a_smaller_scale_shows_less_of_the_picture():
    """Of a ramp, a smaller window spans fewer grey levels."""

    def span(crops: torch.Tensor) -> float:
        flat = crops.float().flatten(1)
        return (flat.amax(1) - flat.amin(1)).mean().item()

    assert span(crop(0, (0.1, 0.2))) < 0.7 * span(crop(0, (0.9, 1.0)))


def test_about_half_are_mirrored():
    """In a mirrored ramp brightness falls to the right."""
    crops = random_resized_crop(ramp(400), 48, (0.5, 1.0), torch.Generator().manual_seed(0)).float()

    mirrored = (crops[:, :, -8:].mean(dim=(1, 2)) < crops[:, :, :8].mean(dim=(1, 2))).float().mean().item()

    assert 0.4 < mirrored < 0.6


def test_normalise__centres_by_the_official_statistics():
    """Three equal channels, (x / 255 - mean) / std."""
    images = torch.tensor([[[0, 255]]], dtype=torch.uint8)

    result = normalise(images)

    assert (1, 3, 1, 2) == tuple(result.shape)
    assert [(0 - GREY_MEAN) / GREY_STD, (1 - GREY_MEAN) / GREY_STD] == pytest.approx(result[0, 1, 0].tolist())


class TestRandAugment:
    def test_draws_from_the_generator_it_is_given(self):
        """timm reads process-wide generators; they are seeded from ours."""
        augment, crops = RandAugment("rand-m6-mstd0.5-inc1"), ramp(8)

        first = augment(crops, torch.Generator().manual_seed(3))
        np.random.seed(0)  # noqa: NPY002  # what timm reads
        second = augment(crops, torch.Generator().manual_seed(3))

        assert torch.equal(first, second)
        assert not torch.equal(first, augment(crops, torch.Generator().manual_seed(4)))
        assert not torch.equal(first, crops)
