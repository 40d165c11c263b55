"""MAE ViT-S/16 on CheXpert and ChestX-ray14, fine-tuned on ChestX-ray14: the network the paper is about.

    torchrun --nproc_per_node=8 -m training pretrain mae_vit_s16 --data DATA --any-licence --out runs/pretrain
    torchrun --nproc_per_node=8 -m training finetune mae_vit_s16 --data DATA --init NETWORK --out runs/finetune

or both, and the number:

    torchrun --nproc_per_node=8 -m training reproduce table1 --rows vit-mae --data DATA --any-licence

Hardware: 8 GPUs in the paper; `--micro-batch` accumulates the same steps on fewer. Expected: mean AUROC 82.3 on
ChestX-ray14's test split (the paper's number, table 1); not yet run here at this size.
"""

from dataclasses import replace

from training.recipes.base import FINETUNE_VIT, PRETRAINING, X_RAYS_266K, started
from training.recipes.types import FromRun, PretrainRecipe

PRETRAIN = PretrainRecipe(
    name="mae_vit_s16",
    data=X_RAYS_266K,
    encoder="vit_small",
    decoder="512x2",  # mae_vit_small_patch16_dec512d2b
    optim=PRETRAINING,
    mask_ratio=0.90,
    crop_scale=(0.5, 1.0),
    norm_pix_loss=False,
)

# The text of section 4 says 20 epochs of warm-up, and ImageNet's mean and deviation for all radiographs.
PRETRAIN_AS_IN_PAPER = replace(
    PRETRAIN, name="mae_vit_s16-paper", optim=replace(PRETRAINING, warmup_epochs=20), normalisation="imagenet"
)
# The code normalises ChestX-ray14 by its own mean and deviation, CheXpert and MIMIC-CXR by ImageNet's.
PRETRAIN_AS_IN_CODE = replace(PRETRAIN, name="mae_vit_s16-per-dataset", normalisation="per-dataset")

FINETUNE = started(FINETUNE_VIT, "mae_vit_s16-chestxray14", FromRun(PRETRAIN))
