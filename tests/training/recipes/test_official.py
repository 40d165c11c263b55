"""The README's commands of lambert-x/medical_mae, number by number."""

from dataclasses import asdict

import pytest

from training.recipes import inpaint_densenet121, mae_vit_b16, mae_vit_s16
from training.recipes.base import LINPROBE
from training.recipes.table import RowRecipe
from training.recipes.table1 import TABLE as TABLE1
from training.recipes.types import FromRun


def changed(one: RowRecipe, other: RowRecipe) -> dict[str, object]:
    """Values of the first that differ from the second's, by their path."""
    ours, theirs = flat(asdict(one)), flat(asdict(other))
    return {path: value for path, value in ours.items() if value != theirs.get(path)}


def flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Nested values by their path."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


@pytest.mark.parametrize("recipe", [mae_vit_s16.PRETRAIN, mae_vit_b16.PRETRAIN, inpaint_densenet121.PRETRAIN])
def test_pretraining_is_the_readme_s(recipe):
    """8 x 256 images, 800 epochs, warm-up 40, blr 1.5e-4 (a rate of 1.2e-3), wd 0.05, beta2 0.95, crops of 0.5 to 1."""
    optim = recipe.optim

    assert (2048, 800, 40, 0.05, 0.95, 0.0) == (
        optim.batch, optim.epochs, optim.warmup_epochs, optim.weight_decay, optim.beta2, optim.min_lr,
    )  # fmt: skip
    assert 1.2e-3 == pytest.approx(optim.peak_lr)
    assert (0.5, 1.0) == recipe.crop_scale


def test_transformers_hide_90_percent_and_the_unet_75():
    """The U-Net's loss is over all pixels, as in the code."""
    assert 0.90 == mae_vit_s16.PRETRAIN.mask_ratio == mae_vit_b16.PRETRAIN.mask_ratio
    assert (0.75, "all") == (inpaint_densenet121.PRETRAIN.mask_ratio, inpaint_densenet121.PRETRAIN.loss_on)


def test_the_decoders_of_vit_s_and_vit_b_differ():
    """dec512d2b and dec512d8b; and ViT-B alone sees MIMIC-CXR."""
    small, base = mae_vit_s16.PRETRAIN, mae_vit_b16.PRETRAIN

    assert {"name", "encoder", "decoder", "data"} == set(changed(small, base))
    assert ("512x2", "512x8") == (small.decoder, base.decoder)
    assert ("chexpert", "chestxray14", "mimic") == base.data


def test_finetuning_is_the_readme_s():
    """8 x 128 images, 75 epochs, warm-up 5, blr 2.5e-4 (a rate of 1e-3), layer decay 0.55, DropPath 0.2, RandAug 6."""
    recipe = mae_vit_s16.FINETUNE
    optim = recipe.optim

    assert (1024, 75, 5, 0.05, 0.999, 1e-5, 0.55) == (
        optim.batch, optim.epochs, optim.warmup_epochs, optim.weight_decay, optim.beta2, optim.min_lr,
        optim.layer_decay,
    )  # fmt: skip
    assert 1e-3 == pytest.approx(optim.peak_lr)
    assert ("avg", 0.2, "rand-m6-mstd0.5-inc1", (0.08, 1.0), 10) == (
        recipe.head, recipe.drop_path, recipe.rand_augment, recipe.crop_scale, recipe.eval_every,
    )  # fmt: skip


def test_networks_of_convolutions_have_neither_drop_path_nor_layer_decay():
    """--drop_path 0; the code gives layer decay to transformers alone."""
    recipe = inpaint_densenet121.FINETUNE

    assert (0.0, 1.0) == (recipe.drop_path, recipe.optim.layer_decay)


def test_random_weights_are_trained_200_epochs():
    """Caption of table 1; everything else is the command for a pre-trained start."""
    scratch, started = TABLE1.row("vit-random").recipe, TABLE1.row("vit-mae").recipe

    assert scratch.start is None
    assert {"name": scratch.name, "optim.epochs": 200} == changed(scratch, started)


def test_the_paper_s_text_is_a_variant():
    """Warm-up 20, and ImageNet's statistics before and after."""
    usual, paper = TABLE1.row("vit-mae").recipe, TABLE1.row("vit-mae-paper").recipe
    assert isinstance(usual.start, FromRun)
    assert isinstance(paper.start, FromRun)

    assert {"name", "normalisation"} == {path for path in changed(paper, usual) if not path.startswith("start.")}
    assert {"optim.warmup_epochs": 20, "normalisation": "imagenet"}.items() <= changed(
        paper.start.recipe, usual.start.recipe
    ).items()


def test_the_linear_probe_is_the_code_s():
    """90 epochs of 8 x 512 images; base rate 0.1, warm-up 10, no decay."""
    assert (90, 4096, 0.1, 10, 0.0) == (
        LINPROBE.optim.epochs, LINPROBE.optim.batch, LINPROBE.optim.base_lr, LINPROBE.optim.warmup_epochs,
        LINPROBE.optim.weight_decay,
    )  # fmt: skip
