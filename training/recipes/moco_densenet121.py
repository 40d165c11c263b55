"""MoCo v2 of DenseNet-121 on CheXpert and ChestX-ray14, fine-tuned on ChestX-ray14.

    torchrun --nproc_per_node=8 -m training pretrain moco_densenet121 --data DATA --any-licence --out runs/pretrain
    torchrun --nproc_per_node=8 -m training finetune moco_densenet121 --data DATA --init NETWORK --out runs/finetune

Paper and README say no more than MoCo's official code with another loader. Temperature, momentum, queue and views are
that code's (MoCo v2); the optimiser is AdamW with the schedule of the other pre-trainings, where that code has SGD.

Hardware: 8 GPUs in the paper. Expected: mean AUROC 80.6 on ChestX-ray14's test split (the paper's number, table 1); not
yet run here.
"""

from training.recipes.base import FINETUNE_CNN, PRETRAINING, X_RAYS_266K, started
from training.recipes.types import FromRun, MocoRecipe

PRETRAIN = MocoRecipe(
    name="moco_densenet121",
    data=X_RAYS_266K,
    encoder="densenet121",
    optim=PRETRAINING,
    temperature=0.2,
    momentum=0.999,
    queue=65_536,
    crop_scale=(0.2, 1.0),
)

FINETUNE = started(FINETUNE_CNN, "moco_densenet121-chestxray14", FromRun(PRETRAIN))
