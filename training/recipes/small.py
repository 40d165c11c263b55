"""Small twins of rows: the same comparison on the images of a manifest, in a size that a CPU trains in minutes.

What a twin shares with its row is the kind of start, of head, of mask and of augmentation, and the value that its table
is about. All else is set here, by hand, for a few thousand steps; docs/reproduction.md lists every departure.
"""

from dataclasses import replace
from typing import TypeVar

from models.nets.vit import VIT_SHAPES
from training.recipes import inpaint_densenet121, mae_vit_s16
from training.recipes.base import X_RAYS_510K
from training.recipes.table import PaperRow, Released, RowRecipe, Table
from training.recipes.types import (
    FinetuneRecipe,
    FromFile,
    FromRun,
    LinprobeRecipe,
    MocoRecipe,
    Optim,
    PretrainRecipe,
    Recipe,
    Start,
    UnlabelledRecipe,
)

SMALL_VIT = "vit_tiny"
VIT_SIDE_PX, VIT_PACKED_PX = 112, 128  # 49 patches
CNN_SIDE_PX, CNN_PACKED_PX = 128, 144  # the U-Net halves an image five times
MASK_RATIO = 0.75  # the paper's 0.90 would leave 4 of 49 patches
QUEUE = 2048

# 5e-4 a step of 32, as in `vit_tiny16_cpu`: a few thousand steps cannot afford the rate of 800 epochs.
PRETRAINING = Optim(epochs=24, batch=32, base_lr=4e-3, warmup_epochs=2, beta2=0.95)
FINETUNING = Optim(epochs=12, batch=32, base_lr=4e-3, warmup_epochs=1, min_lr=1e-5)
PROBING = Optim(epochs=30, batch=256, base_lr=0.1, warmup_epochs=3, weight_decay=0.0)
LAYER_DECAY, DROP_PATH = 0.65, 0.1
CROP_SCALE = (0.5, 1.0)

_IMAGES = {"chestxray14": 75_312, "chexpert": 191_028, "mimic": 243_334}  # section 3 of the paper
_MAIN: tuple[UnlabelledRecipe, ...] = (mae_vit_s16.PRETRAIN, inpaint_densenet121.PRETRAIN)
_NUM_ALL = sum(_IMAGES[name] for name in X_RAYS_510K)

Kind = TypeVar("Kind", bound=Recipe)


def small_table(table: Table) -> Table:
    """A table of small twins; rows that have none, those on data sets that a manifest is not, are left out."""
    rows = [twin for row in (*table.rows, *table.variants) if (twin := small_row(row, table.ablates)) is not None]
    keys = table.small_keys or tuple(row.key for row in rows)
    return replace(
        table,
        title=f"{table.title}; small twins (ViT-Ti/16 at 112 px for ViT-S/16, DenseNet-121 at 128 px, one manifest)",
        rows=tuple(row for row in rows if row.key in keys),
        variants=tuple(row for row in rows if row.key not in keys),
    )


def small_row(row: PaperRow, ablates: frozenset[str]) -> PaperRow | None:
    """The small twin of a row; None where a manifest cannot stand in for its data, or it would be another row's twin.

    Args:
        row: of a table.
        ablates: as in `Table`; these values stay the row's.
    """
    twin = _twin(row.recipe, ablates)
    if twin is None:
        return None
    label = row.label.replace("X-rays (0.3M)", "X-rays")
    is_smaller = isinstance(twin, PretrainRecipe | FinetuneRecipe | LinprobeRecipe) and twin.encoder == SMALL_VIT
    return replace(row, label=label.replace("ViT-S/16", "ViT-Ti/16") if is_smaller else label, recipe=twin)


def _twin(recipe: RowRecipe, ablates: frozenset[str]) -> RowRecipe | None:
    if isinstance(recipe, Released):
        return None  # the images at hand may be among those it was trained on
    if isinstance(recipe, UnlabelledRecipe):
        return _unlabelled(recipe, ablates)
    if recipe.data != ("chestxray14",) or recipe.encoder == "vit_base":
        return None
    start = recipe.start
    if isinstance(start, FromRun):
        start = FromRun(_unlabelled(start.recipe, frozenset(path.removeprefix("start.recipe.") for path in ablates)))
    if isinstance(recipe, LinprobeRecipe):
        probe = replace(_sized(recipe), encoder=SMALL_VIT, optim=PROBING, start=start)
        return replace(probe, crop_scale=CROP_SCALE, eval_every=0)
    return _finetuning(recipe, start, ablates)


def _finetuning(recipe: FinetuneRecipe, start: Start, ablates: frozenset[str]) -> FinetuneRecipe:
    keeps_decay = "optim.layer_decay" in ablates or recipe.optim.layer_decay == 1.0
    keeps_encoder = isinstance(start, FromFile) or not _is_vit(recipe)
    return replace(
        _sized(recipe),
        encoder=recipe.encoder if keeps_encoder else SMALL_VIT,
        optim=replace(FINETUNING, layer_decay=recipe.optim.layer_decay if keeps_decay else LAYER_DECAY),
        start=start,
        drop_path=recipe.drop_path if "drop_path" in ablates else min(recipe.drop_path, DROP_PATH),
        crop_scale=CROP_SCALE,
        eval_every=0,
    )


def _unlabelled(recipe: UnlabelledRecipe, ablates: frozenset[str]) -> UnlabelledRecipe:
    share = round(sum(_IMAGES[name] for name in recipe.data) / _NUM_ALL, 2) if "data" in ablates else 1.0
    small = replace(_sized(recipe), optim=PRETRAINING, share=share)
    match small:
        case PretrainRecipe():
            ratio = small.mask_ratio if "mask_ratio" in ablates else MASK_RATIO
            small = replace(small, encoder=SMALL_VIT, decoder="128x2h4", mask_ratio=ratio)
        case MocoRecipe():
            small = replace(small, queue=QUEUE)
    if recipe in _MAIN:
        return small
    # A twin that differs from the main one in nothing but its name is the same run: on one manifest, figure 2's is.
    main = [_unlabelled(one, frozenset()) for one in _MAIN]
    return next((one for one in main if replace(small, name=one.name) == one), small)


def _sized(recipe: Kind) -> Kind:
    """On a manifest, with small images."""
    side_px, packed_px = (VIT_SIDE_PX, VIT_PACKED_PX) if _is_vit(recipe) else (CNN_SIDE_PX, CNN_PACKED_PX)
    return replace(
        recipe,
        name=f"small-{recipe.name}",
        data=("manifest",),
        image_size_px=side_px,
        packed_size_px=packed_px,
    )


def _is_vit(recipe: Recipe) -> bool:
    return isinstance(recipe, PretrainRecipe | LinprobeRecipe | FinetuneRecipe) and recipe.encoder in VIT_SHAPES
