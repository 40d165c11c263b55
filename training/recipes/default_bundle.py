"""The default bundle: a masked autoencoder that paints, and a committee that classifies.

    train pretrain default_bundle --data CSV --out runs/pretrain
    train pretrain moco_slim18 --data CSV --out runs/moco
    train crossval default_bundle --data CSV --init runs/moco/network.safetensors --out runs/slim
    train pretrain default_bundle_gpu --data CSV --out runs/trunk
    train probe frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/all
    train crossval frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/crossval
    train export default_bundle --data CSV --pretrained runs/pretrain --finetuned runs/slim runs/probe/all \
        --out-of-fold runs/slim runs/probe/crossval --out DIR

The first makes the reconstructor, which is that of bundle 0.2.0 (`--pretrained` may be a bundle). The second and the
fourth want a GPU for some minutes. The third makes five slim ResNets, each trained on four fifths of the patients; the
fifth and sixth a kernel head on the frozen ViT-S/16. docs/decisions/0019 to 0022 say why. Mean AUROC out of fold 0.749
(1,156 images), held out 0.753 (216).

Masks of 0.5, 0.75 and 0.9 in turn for the reconstructor, because a map shows more of a picture than a tenth; 18 epochs
for the paper's 800. Batches of 16 for the ResNets, because 900 images make few steps. Otherwise all was set by hand,
not ablated; docs/science.md says what was compared.

The reconstructor took 113 minutes on one thread of an AMD EPYC (AVX2, no bfloat16); on 2026-11-28 a ResNet 8 to 17
minutes on one of two shared cores of an Intel Xeon with AMX, and the probe's features 10 minutes on both in float32
(`--precision 32-true`; in bfloat16 they give the same score).
"""

from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.types import ExportRecipe, FinetuneRecipe, Optim, PretrainRecipe

PRETRAIN = PretrainRecipe(
    name="default_bundle",
    encoder="vit_tiny",
    decoder="128x2h4",
    optim=Optim(epochs=18, batch=32, base_lr=4e-3, warmup_epochs=2, beta2=0.95),
    mask_ratios=(0.5, 0.75, 0.9),
)

FINETUNE = FinetuneRecipe(
    name="default_bundle",
    encoder="slim18",
    image_size_px=192,
    packed_size_px=216,
    optim=Optim(epochs=32, batch=16, base_lr=1.6e-2, warmup_epochs=2, min_lr=1e-5),
    drop_path=0.0,
    crop_scale=(0.6, 1.0),
    keep_boxes=False,
    average=0.995,
)

CROSSVAL = CrossvalRecipe(name="default_bundle", member=FINETUNE, folds=5, seeds=(0,))

EXPORT = ExportRecipe(
    name="thorascope-slim18x5-vit-s16",
    version="0.7.0",
    masks=(4, 10),
    smoothing_px=4.0,
    map_scale=6.0,
    weights="int8",
    bands_px=(0.0, 12.0),
    darker=0.25,
    own_unit=0.5,
)
