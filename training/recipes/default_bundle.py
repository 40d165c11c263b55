"""The default bundle: a masked autoencoder that paints, and a committee that classifies, half of it on its encoder.

    train pretrain default_bundle_gpu --data CSV --out runs/trunk
    train pretrain moco_slim18 --data CSV --out runs/moco
    train crossval default_bundle --data CSV --init runs/moco/network.safetensors --out runs/slim
    train probe frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/all
    train crossval frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/crossval
    train export default_bundle --data CSV --pretrained runs/trunk --finetuned runs/slim runs/probe/all \
        --out-of-fold runs/slim runs/probe/crossval --out DIR

The first two want a GPU for some minutes. The first makes the reconstructor, and the encoder of the probe: what they
share is stored once. The third makes five slim ResNets, each trained on four fifths of the patients; the fourth and
fifth a kernel head on the frozen ViT-S/16. docs/decisions/0019 to 0023 say why. Mean AUROC out of fold 0.749 (1,156
images), held out 0.753 (216).

`train pretrain default_bundle` is the small reconstructor of bundles 0.2.0 to 0.7.0: masks of 0.5, 0.75 and 0.9 in
turn, 18 epochs, 113 minutes on one thread of an AMD EPYC (AVX2, no bfloat16). Where there is no GPU it takes the
first's place as `--pretrained`, with `--set "masks=(4, 10)"`.

Batches of 16 for the ResNets, because 900 images make few steps. Otherwise all was set by hand, not ablated;
docs/science.md says what was compared. On 2026-11-28 a ResNet took 8 to 17 minutes on one of two shared cores of an
Intel Xeon with AMX, and the probe's features 10 minutes on both in float32 (`--precision 32-true`; in bfloat16 they
give the same score).
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
    version="0.8.0",
    masks=(10, 4),
    smoothing_px=4.0,
    map_scale=6.0,
    weights="int8",
    bands_px=(0.0, 12.0),
    darker=0.25,
    own_unit=0.5,
)
