"""A linear head on the frozen ViT-S/16 of `mae_vit_s16`: how figure 1b compares pre-trainings.

    torchrun --nproc_per_node=8 -m training linprobe linprobe_vit_s16 --data DATA --init NETWORK --out runs/linprobe

Hardware: 8 GPUs; the trunk takes `--micro-batch` images at once, the head's batch normalisation all of a step.
Expected: mean AUROC 70.8 on ChestX-ray14's test split, if table 2 is a linear probe, which the paper does not say; not
yet run here.
"""

from dataclasses import replace

from training.recipes.base import LINPROBE as BASE
from training.recipes.mae_vit_s16 import PRETRAIN
from training.recipes.types import FromRun

LINPROBE = replace(BASE, start=FromRun(PRETRAIN))
