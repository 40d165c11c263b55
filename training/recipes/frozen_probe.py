"""What masked pre-training alone knows: a linear head over mean and spread of a frozen ViT-S/16's patches.

    train pretrain default_bundle_gpu --data CSV --out runs/trunk
    train probe frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/all
    train crossval frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/crossval

`invariance` and `spread` weigh scores out of fold against how far training pictures move when they are cropped
(docs/decisions/0020). A trunk at another size takes `--set image_size_px=160`; pictures come at 224 px, as a bundle's.
"""

from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.probe_types import ProbeRecipe

PROBE = ProbeRecipe(name="frozen_probe", encoder="vit_small", invariance=50.0, spread=1.0, keep_boxes=False)

CROSSVAL = CrossvalRecipe(name="frozen_probe", member=PROBE, folds=5, seeds=(0,))
