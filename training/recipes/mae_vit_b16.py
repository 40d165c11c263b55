"""MAE ViT-B/16 on CheXpert, ChestX-ray14 and MIMIC-CXR, fine-tuned on ChestX-ray14.

    torchrun --nproc_per_node=8 -m training pretrain mae_vit_b16 --data DATA --any-licence --out runs/pretrain
    torchrun --nproc_per_node=8 -m training finetune mae_vit_b16 --data DATA --init NETWORK --out runs/finetune

Hardware: 8 GPUs in the paper; `--micro-batch` accumulates the same steps on fewer. Expected: mean AUROC 83.0 on
ChestX-ray14's test split (the paper's number, table 6); not yet run here.
"""

from dataclasses import replace

from training.recipes.base import FINETUNE_VIT, PRETRAINING, X_RAYS_510K, started
from training.recipes.types import FromRun, PretrainRecipe

PRETRAIN = PretrainRecipe(
    name="mae_vit_b16",
    data=X_RAYS_510K,
    encoder="vit_base",
    decoder="512x8",  # mae_vit_base_patch16_dec512d8b: not the decoder of the ViT-S, which has two blocks
    optim=PRETRAINING,
    mask_ratio=0.90,
    crop_scale=(0.5, 1.0),
    norm_pix_loss=False,
)

FINETUNE = started(replace(FINETUNE_VIT, encoder="vit_base"), "mae_vit_b16-chestxray14", FromRun(PRETRAIN))
