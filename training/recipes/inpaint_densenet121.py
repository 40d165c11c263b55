"""The paper's "MAE" of a convolutional network: a U-Net on DenseNet-121 paints hidden squares; then fine-tuning.

    torchrun --nproc_per_node=8 -m training pretrain inpaint_densenet121 --data DATA --any-licence --out runs/pretrain
    torchrun --nproc_per_node=8 -m training finetune inpaint_densenet121 --data DATA --init NETWORK --out runs/finetune

Hardware: 8 GPUs in the paper; batch normalisation sees a micro-batch at a time, so `--micro-batch` changes what is
learned. Expected: mean AUROC 81.2 on ChestX-ray14's test split (the paper's number, table 1); not yet run here.
"""

from training.recipes.base import FINETUNE_CNN, PRETRAINING, X_RAYS_266K, started
from training.recipes.types import FromRun, InpaintRecipe

PRETRAIN = InpaintRecipe(
    name="inpaint_densenet121",
    data=X_RAYS_266K,
    optim=PRETRAINING,
    mask_ratio=0.75,  # the README's; 0.90 is for transformers
    crop_scale=(0.5, 1.0),
    loss_on="all",  # the code compares visible pixels, too
)

FINETUNE = started(FINETUNE_CNN, "inpaint_densenet121-chestxray14", FromRun(PRETRAIN))
