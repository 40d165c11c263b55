"""A masked autoencoder for anomaly maps that cost less than those of `default_bundle_gpu`, which ship; for a GPU.

    train pretrain painter_gpu --data CSV --out runs/gpu/painter

A ViT-Ti/16, because a map takes several passes. Masks of 0.5, 0.75 and 0.9 in turn, so that few passes may show much of
a picture. Run for 20 epochs to see that it runs, no further.
"""

from dataclasses import replace

from training.recipes.base import PRETRAINING
from training.recipes.types import PretrainRecipe

PRETRAIN = PretrainRecipe(
    name="painter_gpu",
    encoder="vit_tiny",
    decoder="192x4h6",
    optim=replace(PRETRAINING, epochs=800, batch=256, base_lr=1e-3, warmup_epochs=40),
    mask_ratios=(0.5, 0.75, 0.9),
)
