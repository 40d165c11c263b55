"""Table 2: the random resized crop of the masked autoencoder's pre-training.

    python -m training reproduce table2 --data DATA --any-licence

The paper does not say how the numbers were measured. They are those of linear probing (figure 1b), far from the 82.3 of
fine-tuning, so the rows here are linear probes of `linprobe_vit_s16`.
"""

from dataclasses import replace

from training.recipes.linprobe_vit_s16 import LINPROBE
from training.recipes.mae_vit_s16 import PRETRAIN
from training.recipes.table import Contrast, Number, PaperRow, Table
from training.recipes.types import FromRun, LinprobeRecipe, PretrainRecipe


def crop_name(scale: tuple[float, float] | None) -> str:
    """Of a crop range in keys and names."""
    return "no-crop" if scale is None else f"crop-{round(100 * scale[0])}-{round(100 * scale[1])}"


def probe_of(pretraining: PretrainRecipe) -> LinprobeRecipe:
    """The linear probe of another pre-training."""
    return replace(LINPROBE, name=f"linprobe_{pretraining.name}", start=FromRun(pretraining))


def pretraining(scale: tuple[float, float] | None) -> PretrainRecipe:
    """`mae_vit_s16` with another crop range."""
    if scale == PRETRAIN.crop_scale:
        return PRETRAIN
    return replace(PRETRAIN, name=f"mae_vit_s16-{crop_name(scale)}", crop_scale=scale)


def _row(label: str, scale: tuple[float, float] | None, paper: float) -> PaperRow:
    return PaperRow(crop_name(scale), label, probe_of(pretraining(scale)), (Number("mAUC", "mean_auroc", paper),))


TABLE = Table(
    name="table2",
    title="Crop scale of pre-training",
    rows=(
        _row("no RandomResizedCrop", None, 65.9),
        _row("RandomResizedCrop (0.2, 1.0)", (0.2, 1.0), 69.8),
        _row("RandomResizedCrop (0.5, 1.0)", (0.5, 1.0), 70.8),
    ),
    contrasts=(Contrast("crop-50-100", "crop-20-100"), Contrast("crop-50-100", "no-crop")),
    ablates=frozenset({"start.recipe.crop_scale"}),
)
