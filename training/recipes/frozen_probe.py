"""What masked pre-training alone knows: a linear head over mean and spread of a frozen ViT-S/16's patches.

    train pretrain vit_small16_cpu --data CSV --out runs/small16/pretrain
    train probe frozen_probe --data CSV --init runs/small16/pretrain/network.safetensors --out runs/probe/all
    train crossval frozen_probe --data CSV --init runs/small16/pretrain/network.safetensors --out runs/probe/crossval

Measured 2026-11-27: mean AUROC out of fold 0.697 (1,156 images), on 216 held-out images 0.705.

Pictures come at 224 px, as a bundle's do, and are looked at with the 160 px of the pre-training.
"""

from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.probe_types import ProbeRecipe
from training.recipes.vit_small16_cpu import SIDE_PX

PROBE = ProbeRecipe(name="frozen_probe", encoder="vit_small", image_size_px=SIDE_PX, keep_boxes=False)

CROSSVAL = CrossvalRecipe(name="frozen_probe", member=PROBE, folds=5, seeds=(0,))
