"""What the default bundle's slim ResNets start from: momentum contrast of all images that may be used, for a GPU.

    train pretrain moco_slim18 --data CSV --out runs/moco

Keys are split into four parts, each with a batch norm of its own, because there is one process; the queue is shorter
than the data set, and the key encoder follows faster than MoCo v2's, because there are few steps. Set by hand, not
ablated.

Measured 2026-11-27 on an H200 that other trainings shared: up to 7,500 images a second; for most of the time it was
held back for another.
"""

from training.recipes.types import MocoRecipe, Optim

PRETRAIN = MocoRecipe(
    name="moco_slim18",
    encoder="slim18",
    optim=Optim(epochs=120, batch=256, base_lr=1e-3, warmup_epochs=10),
    momentum=0.99,
    queue=4096,
    splits=4,
)
