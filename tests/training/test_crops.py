"""Crops on the device: right size, right share, owned randomness."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data.auto_augment import AugmentOp, rand_augment_transform

from tests import goldens
from training.data.augment import NO_AUGMENT, RandAugment, draw_seeds
from training.data.crops import GREY_MEAN, GREY_STD, crop_on_host, draw_crops, normalise, normalise_by, statistics_table
from training.data.crops import crop as cut

POLICY = "rand-m6-mstd0.5-inc1"


def ramp(batch: int = 16, side: int = 64) -> torch.Tensor:
    """Brightness rises to the right and downwards."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((x + y) * (255 / (2 * side - 2))).to(torch.uint8).expand(batch, -1, -1)


def crop(seed: int, scale: tuple[float, float] | None, batch: int = 16) -> torch.Tensor:
    theta = draw_crops(batch, scale, torch.Generator().manual_seed(seed))
    return cut(ramp(batch), theta, 48)


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


def test_a_crop_has_the_area_and_the_shape_that_are_asked_for_and_lies_anywhere_in_the_picture():
    """Area evenly over the range, width to height from 3/4 to 4/3; each edge of the picture is met, none crossed."""
    theta = draw_crops(20_000, (0.3, 0.5), torch.Generator().manual_seed(0))

    width, height = theta[:, 0, 0].abs(), theta[:, 1, 1]
    area, shape = width * height, width / height
    assert [0.3, 0.4, 0.5] == pytest.approx([area.min().item(), area.mean().item(), area.max().item()], abs=2e-3)
    assert [3 / 4, 1, 4 / 3] == pytest.approx(
        [shape.min().item(), shape.log().mean().exp().item(), shape.max().item()], abs=5e-3
    )
    for side, place in ((width, theta[:, 0, 2]), (height, theta[:, 1, 2])):
        share = place / (1 - side)  # -1 at one edge, 1 at the other
        assert [-1, 0, 1] == pytest.approx([share.min().item(), share.mean().item(), share.max().item()], abs=2e-2)
        assert share.abs().max() <= 1 + 1e-5


def test_a_crop_that_would_not_fit_is_cut():
    """Most of almost the whole area, at another shape than the picture's."""
    theta = draw_crops(1000, (0.9, 1.0), torch.Generator().manual_seed(0))

    assert 1 == theta[:, :, :2].abs().max()


def test_about_half_are_mirrored():
    """In a mirrored ramp brightness falls to the right."""
    crops = crop(0, (0.5, 1.0), 400).float()

    mirrored = (crops[:, :, -8:].mean(dim=(1, 2)) < crops[:, :, :8].mean(dim=(1, 2))).float().mean().item()

    assert 0.4 < mirrored < 0.6


def test_normalise__centres_by_the_official_statistics():
    """Three equal channels, (x / 255 - mean) / std."""
    images = torch.tensor([[[0, 255]]], dtype=torch.uint8)

    result = normalise(images)

    assert (1, 3, 1, 2) == tuple(result.shape)
    assert [(0 - GREY_MEAN) / GREY_STD, (1 - GREY_MEAN) / GREY_STD] == pytest.approx(result[0, 1, 0].tolist())


def test_without_a_scale_the_whole_picture_is_kept():
    """Table 2's row without random crops: resized, and mirrored half of the time."""
    whole = torch.nn.functional.interpolate(
        ramp(1)[None].float(), size=(48, 48), mode="bicubic", align_corners=False
    ).squeeze()
    allowed = {False: whole, True: whole.flip(1)}

    for one in crop(0, None, 8).float():
        assert min((one - expected).abs().max().item() for expected in allowed.values()) <= 1


class TestOnHost:
    def test_it_shows_what_the_device_shows(self):
        """Of a picture without detail, mirrored or not; smoothing takes nothing from it."""
        theta = draw_crops(64, (0.08, 1.0), torch.Generator().manual_seed(3))

        there, here = cut(ramp(64), theta, 48), crop_on_host(ramp(64), theta, 48)

        assert (64, 48, 48) == tuple(here.shape)
        assert torch.uint8 == here.dtype
        assert (there.int() - here.int()).abs().max() <= 4  # of 255; at the border Pillow leaves out what is not there

    def test_the_whole_picture_is_what_pillow_makes_of_it(self):
        """To the bit: nothing is lost at the edges."""
        noise = torch.randint(256, (4, 64, 80), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        theta = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(4, -1, -1)

        expected = [
            np.asarray(Image.fromarray(one.numpy()).resize((48, 48), Image.Resampling.BICUBIC)) for one in noise
        ]
        assert np.array_equal(expected, crop_on_host(noise, theta, 48).numpy())

    def test_what_is_shrunk_is_smoothed(self):
        """Fine stripes become grey, not coarser stripes."""
        stripes = (torch.arange(256) % 2 * 255).to(torch.uint8).expand(1, 256, 256)
        theta = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])

        inside = crop_on_host(stripes, theta, 64)[0, :, 4:-4].int()
        assert (inside - 127).abs().max() <= 8


class TestStatistics:
    def test_the_official_pretraining_treats_data_sets_differently(self):
        """ChestX-ray14 by its own grey, all else by ImageNet's channels."""
        table = statistics_table(["chestxray14", "chexpert"], "per-dataset")

        assert [GREY_MEAN] * 3 == pytest.approx(table[0, 0].tolist())
        assert [0.485, 0.456, 0.406] == pytest.approx(table[1, 0].tolist())

    def test_grey_is_what_the_exported_graph_does(self):
        """One formula in training and serving."""
        images = ramp(3)

        by_table = normalise_by(images, statistics_table(["mimic"], "grey").expand(3, -1, -1))

        assert torch.allclose(normalise(images), by_table, atol=1e-6)


GOLDEN = goldens.facts("randaug_m6")


class TestRandAugment:
    @pytest.mark.parametrize("case", sorted(GOLDEN["level_args"]))
    def test_each_operation_is_the_official_code_s(self, case):
        """At magnitude 6 exactly, on the golden picture; the sign as recorded."""
        name = case.split(".")[0]
        images = goldens.tensors("randaug_m6")
        hparams = {"translate_const": 100, "img_mean": (129, 129, 129), "interpolation": Image.Resampling.BICUBIC}
        operation = AugmentOp(name, prob=1.0, magnitude=6, hparams=hparams)
        kwargs = {"fillcolor": (129, 129, 129), "resample": Image.Resampling.BICUBIC}

        picture = Image.fromarray(images["input"].numpy())
        result = operation.aug_fn(picture, *GOLDEN["level_args"][case], **kwargs)

        assert np.array_equal(images[case].numpy(), np.array(result))

    def test_the_policy_is_the_official_code_s(self):
        """Two of its fifteen operations, drawn with replacement, each made half of the time, at the same strength."""
        policy = rand_augment_transform(POLICY, {"img_mean": (129,)})
        strengths = {one.name: one.level_fn(6, {}) if one.level_fn else () for one in policy.ops}

        assert GOLDEN["ops"] == [one.name for one in policy.ops]
        assert (2, None) == (policy.num_layers, policy.choice_weights)
        assert {(0.5, 6, 0.5)} == {(one.prob, one.magnitude, one.magnitude_std) for one in policy.ops}
        for name, strength in strengths.items():  # of either sign, where there are two
            signs = [GOLDEN["level_args"].get(f"{name}.{sign}") for sign in ("pos", "neg")]
            assert any(wanted == pytest.approx(strength) for wanted in signs if wanted is not None), name

    def test_a_grey_channel_is_changed_as_three_equal_ones(self):
        """What allows to work on one."""
        crops, seeds = ramp(200), draw_seeds(200, torch.Generator().manual_seed(0))
        colour = rand_augment_transform(
            POLICY, {"translate_const": 100, "img_mean": (129,) * 3, "interpolation": Image.Resampling.BICUBIC}
        )

        for crop_, seed, grey in zip(crops, seeds.tolist(), RandAugment(POLICY)(crops, seeds), strict=True):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002  # what timm reads
            expected = colour(Image.fromarray(crop_.numpy()).convert("RGB"))
            assert np.array_equal(np.array(expected)[:, :, 0], grey.numpy())

    def test_a_crop_is_changed_alike_in_whichever_batch_it_lies(self):
        """Processes share a step without drawing each other's numbers."""
        augment, crops, seeds = RandAugment(POLICY), ramp(8), draw_seeds(8, torch.Generator().manual_seed(3))

        whole = augment(crops, seeds)

        assert torch.equal(whole[4:], augment(crops[4:], seeds[4:]))
        assert not torch.equal(whole, augment(crops, draw_seeds(8, torch.Generator().manual_seed(4))))
        assert not torch.equal(whole, crops)

    def test_none_changes_nothing(self):
        """For runs without augmentation."""
        assert torch.equal(ramp(2), RandAugment(NO_AUGMENT)(ramp(2), torch.zeros(2, dtype=torch.int64)))


def test_crop__has_coordinates_of_full_precision_whatever_the_network_computes_in():
    """In bfloat16 they are off by up to half a pixel."""
    images = torch.randint(0, 256, (4, 256, 256), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    theta = draw_crops(4, (0.5, 1.0), torch.Generator().manual_seed(1))

    with torch.autocast("cpu", torch.bfloat16):
        mixed = cut(images, theta, 224)

    assert torch.equal(cut(images, theta, 224), mixed)
