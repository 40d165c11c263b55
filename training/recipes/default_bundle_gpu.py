"""The default bundle by the full recipe, for a GPU: not run yet, nothing here is measured.

    train pretrain default_bundle_gpu --data CSV --out runs/gpu/pretrain
    train crossval default_bundle_gpu --data CSV --init runs/gpu/pretrain/network.safetensors --out runs/gpu/crossval
    train finetune default_bundle_gpu --data CSV --init runs/gpu/pretrain/network.safetensors --out runs/gpu/finetune
    train export default_bundle_gpu --data CSV --pretrained runs/gpu/pretrain --finetuned runs/gpu/finetune \
        --out-of-fold runs/gpu/crossval --out DIR

What can be compared with it on the same folds: `crossval default_bundle` (slim ResNets), and the second line without
`--init` (the same network from random weights, which takes `--set member.optim.epochs=200`, as the paper has it).

ViT-S/16 with the decoder, fine-tuning rates, layer decay, RandAugment and DropPath of arXiv:2210.12843. Otherwise:
masks of 0.5, 0.75 and 0.9, because the same network paints the anomaly map; 1,600 epochs of 5,706 images, which show 9
million crops where the paper shows 213 million; batches of 256 and 64, for a data set of this size.
"""

from dataclasses import replace

from training.recipes.base import FINETUNE_VIT, PRETRAINING
from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.types import ExportRecipe, PretrainRecipe

PRETRAIN = PretrainRecipe(
    name="default_bundle_gpu",
    encoder="vit_small",
    decoder="512x2",
    optim=replace(PRETRAINING, epochs=1600, batch=256, base_lr=3e-4, warmup_epochs=40),
    mask_ratios=(0.5, 0.75, 0.9),
)

FINETUNE = replace(
    FINETUNE_VIT,
    name="default_bundle_gpu",
    data=("manifest",),
    optim=replace(FINETUNE_VIT.optim, batch=64, base_lr=1e-3),
    crop_scale=(0.5, 1.0),
    eval_every=0,
    keep_boxes=False,
    average=0.99,
)

CROSSVAL = CrossvalRecipe(name="default_bundle_gpu", member=FINETUNE, folds=5, seeds=(0, 1, 2))

EXPORT = ExportRecipe(name="thorascope-vit-s16", version="0.3.0")
