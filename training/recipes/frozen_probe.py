"""What masked pre-training alone knows: a kernel head over mean and spread of a frozen ViT-S/16's patches.

    train pretrain default_bundle_gpu --data CSV --out runs/trunk
    train probe frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/all
    train crossval frozen_probe --data CSV --init runs/trunk/network.safetensors --out runs/probe/crossval

It compares a picture with 1,156 that have labels and with 1,796 that radiologists of the RSNA read as normal. Ridge,
invariance, spread and the normals' weight were chosen by scores out of fold, and the ridge by how far training pictures
move when they are cropped (docs/decisions/0021). A trunk at another size takes `--set image_size_px=160`; pictures come
at 224 px, as a bundle's.

Measured 2026-11-28 on one core of an Intel Xeon with AMX, float32 (`--precision 32-true`), beside a training on the
other: 4 minutes for the normals' features, half a minute to solve a fold. Mean AUROC out of fold 0.750.
"""

from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.probe_types import ProbeRecipe

PROBE = ProbeRecipe(
    name="frozen_probe",
    encoder="vit_small",
    kernel="gaussian",
    ridge=5.0,
    invariance=100.0,
    spread=2.0,
    normals=("covidrad_rsna_normal",),
    keep_boxes=False,
)

CROSSVAL = CrossvalRecipe(name="frozen_probe", member=PROBE, folds=5, seeds=(0,))
