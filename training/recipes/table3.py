"""Table 3: the fine-tuning recipe of ViT-S/16 on ChestX-ray14, one value at a time.

    python -m training reproduce table3 --data DATA --any-licence

By its caption, part (b) has a layer decay of 0.65 and all else the best value. Part (a) then prints 82 and part (b)
82.2 for one and the same setting; its row is trained once and stands here twice.
"""

from dataclasses import replace

from training.recipes.base import on
from training.recipes.table import Contrast, Number, PaperRow, Table
from training.recipes.table1 import VIT_MAE
from training.recipes.types import FinetuneRecipe

BEST = on(VIT_MAE, "chestxray14")


def with_layer_decay(layer_decay: float) -> FinetuneRecipe:
    """The recipe with another layer decay."""
    if layer_decay == BEST.optim.layer_decay:
        return BEST
    name = f"vit_s16-mae-layer-decay-{round(100 * layer_decay)}"
    return replace(BEST, name=name, optim=replace(BEST.optim, layer_decay=layer_decay))


def with_magnitude(magnitude: int) -> FinetuneRecipe:
    """The recipe of part (b) with another RandAugment magnitude."""
    base = with_layer_decay(0.65)
    policy = f"rand-m{magnitude}-mstd0.5-inc1"
    return base if policy == base.rand_augment else replace(base, name=f"{base.name}-m{magnitude}", rand_augment=policy)


def with_drop_path(rate: float) -> FinetuneRecipe:
    """The recipe with another DropPath rate."""
    if rate == BEST.drop_path:
        return BEST
    return replace(BEST, name=f"vit_s16-mae-drop-path-{round(100 * rate)}", drop_path=rate)


def _number(paper: float) -> tuple[Number]:
    return (Number("mAUC", "mean_auroc", paper),)


TABLE = Table(
    name="table3",
    title="The fine-tuning recipe",
    rows=(
        *(
            PaperRow(
                f"layer-decay-{round(100 * decay)}",
                f"(a) layer-wise LR decay {decay}",
                with_layer_decay(decay),
                _number(paper),
            )
            for decay, paper in ((0.45, 82.1), (0.55, 82.3), (0.65, 82.0))
        ),
        *(
            PaperRow(
                f"rand-augment-{magnitude}",
                f"(b) RandAug magnitude {magnitude}",
                with_magnitude(magnitude),
                _number(paper),
                "layer decay 0.65",
            )
            for magnitude, paper in ((4, 82.0), (6, 82.2), (8, 82.1))
        ),
        *(
            PaperRow(
                f"drop-path-{round(100 * rate)}",
                f"(c) DropPath rate {rate}",
                with_drop_path(rate),
                _number(paper),
            )
            for rate, paper in ((0.1, 81.5), (0.2, 82.3), (0.3, 82.1))
        ),
    ),
    contrasts=(
        Contrast("layer-decay-55", "layer-decay-45"),
        Contrast("layer-decay-55", "layer-decay-65"),
        Contrast("rand-augment-6", "rand-augment-4"),
        Contrast("rand-augment-6", "rand-augment-8"),
        Contrast("drop-path-20", "drop-path-10"),
        Contrast("drop-path-20", "drop-path-30"),
    ),
    ablates=frozenset({"optim.layer_decay", "rand_augment", "drop_path"}),
)
