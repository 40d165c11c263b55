"""Figure 2: what a transformer and a U-Net paint of radiographs of which they see a quarter or less.

    python -m training reproduce figure2 --data DATA
    python -m training reproduce figure2 --rows vit-released,cnn-released --weights vit-s-xray-mae=FILE ...

"The models are pretrained on ChestX-ray14" with 75 % hidden, and shown images with 75, 80, 85 and 90 % hidden.
"""

from dataclasses import replace

from training.recipes import weights
from training.recipes.inpaint_densenet121 import PRETRAIN as INPAINTING
from training.recipes.mae_vit_s16 import PRETRAIN
from training.recipes.table import PaperRow, Released, Table

VIT = replace(PRETRAIN, name="mae_vit_s16-75k-mask-75", data=("chestxray14",), mask_ratio=0.75)
CNN = replace(INPAINTING, name="inpaint_densenet121-75k", data=("chestxray14",))

TABLE = Table(
    name="figure2",
    title="Reconstruction of ChestX-ray14 validation images",
    rows=(PaperRow("vit", "MAE ViT-S/16", VIT, ()), PaperRow("cnn", "MAE DenseNet-121", CNN, ())),
    variants=(
        PaperRow(
            "vit-released",
            "MAE ViT-S/16",
            Released("vit-s-xray-mae", weights.VIT_S_XRAY_MAE, ()),
            (),
            "the released network: 90 % masked, CheXpert and ChestX-ray14",
        ),
        PaperRow(
            "cnn-released",
            "MAE DenseNet-121",
            Released("densenet121-xray-mae", weights.DENSENET121_XRAY_MAE, ()),
            (),
            "the released network: CheXpert and ChestX-ray14",
        ),
    ),
    ablates=frozenset({"mask_ratio"}),
    small_keys=("vit",),
    panel="reconstructions",
)
