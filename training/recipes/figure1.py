"""Figure 1: (a) how many radiographs pre-training needs, (b) how much of each to hide, and whether to crop.

    python -m training reproduce figure1 --data DATA --any-licence

(a) is fine-tuning on ChestX-ray14; section 4.2 prints the four numbers of ViT-S, table 6 the one of ViT-B. (b) is
linear probing, drawn and not printed but for table 2, whose three numbers are at 90 %.
"""

from dataclasses import replace

from training.recipes.base import X_RAYS_266K, X_RAYS_510K, on, started
from training.recipes.mae_vit_b16 import PRETRAIN as PRETRAIN_VIT_B
from training.recipes.mae_vit_s16 import PRETRAIN
from training.recipes.table import Contrast, Number, PaperRow, Table
from training.recipes.table1 import VIT_MAE
from training.recipes.table2 import crop_name, pretraining, probe_of
from training.recipes.table4 import VIT_B_MAE
from training.recipes.types import FinetuneRecipe, FromRun, PretrainRecipe

_SCALES = {"75k": ("chestxray14",), "191k": ("chexpert",), "266k": X_RAYS_266K, "510k": X_RAYS_510K}
_PRINTED_VIT_S = {"75k": 79.3, "191k": 81.9, "266k": 82.3, "510k": 82.3}
_PRINTED_VIT_B = {"510k": 83.0}
_PRINTED_CROPS = {"no-crop": 65.9, "crop-20-100": 69.8, "crop-50-100": 70.8}
MASK_RATIOS = (0.75, 0.80, 0.85, 0.90, 0.95)


def _scaled(base: PretrainRecipe, finetuning: FinetuneRecipe, images: str) -> FinetuneRecipe:
    data = _SCALES[images]
    if data == base.data:
        return on(finetuning, "chestxray14")
    smaller = replace(base, name=f"{base.name}-{images}", data=data)
    return on(started(finetuning, f"{finetuning.name}-{images}", FromRun(smaller)), "chestxray14")


def masked(ratio: float, scale: tuple[float, float] | None) -> PretrainRecipe:
    """`mae_vit_s16` with another mask ratio and crop range."""
    base = pretraining(scale)
    return (
        base
        if ratio == base.mask_ratio
        else replace(base, name=f"{base.name}-mask-{_percent(ratio)}", mask_ratio=ratio)
    )


def _percent(ratio: float) -> int:
    return round(100 * ratio)


def _probe(ratio: float, scale: tuple[float, float] | None) -> PaperRow:
    crop = crop_name(scale)
    printed = _PRINTED_CROPS[crop] if ratio == PRETRAIN.mask_ratio else None
    return PaperRow(
        f"mask-{_percent(ratio)}-{crop}",
        f"(b) {_percent(ratio)} % masked, {'no RRC' if scale is None else f'RRC {scale}'}",
        probe_of(masked(ratio, scale)),
        (Number("mAUC", "mean_auroc", printed),),
        "" if printed is not None else "drawn, not printed",
    )


TABLE = Table(
    name="figure1",
    title="The pre-training recipe",
    rows=(
        *(
            PaperRow(
                f"{key}-{images}",
                f"(a) {label}, {images.upper()} X-rays",
                _scaled(base, finetuning, images),
                (Number("mAUC", "mean_auroc", printed.get(images)),),
                "" if images in printed else "drawn, not printed",
            )
            for key, label, base, finetuning, printed in (
                ("vit-s", "ViT-S/16", PRETRAIN, VIT_MAE, _PRINTED_VIT_S),
                ("vit-b", "ViT-B/16", PRETRAIN_VIT_B, VIT_B_MAE, _PRINTED_VIT_B),
            )
            for images in _SCALES
        ),
        *(_probe(ratio, scale) for scale in (None, (0.2, 1.0), (0.5, 1.0)) for ratio in MASK_RATIOS),
    ),
    contrasts=(
        Contrast("vit-s-266k", "vit-s-75k"),
        Contrast("vit-s-510k", "vit-s-266k"),
        Contrast("vit-b-510k", "vit-s-510k"),
        Contrast("mask-90-crop-50-100", "mask-75-crop-50-100"),
    ),
    ablates=frozenset({"start.recipe.crop_scale", "start.recipe.data", "start.recipe.mask_ratio"}),
)
