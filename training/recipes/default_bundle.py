"""The default bundle."""

from training.recipes.types import CrossvalRecipe, ExportRecipe, FinetuneRecipe, Optim, PretrainRecipe

PRETRAIN = PretrainRecipe(
    name="default_bundle",
    encoder="vit_tiny",
    decoder="128x2h4",
    optim=Optim(epochs=18, batch=32, base_lr=4e-3, warmup_epochs=2, beta2=0.95),
    mask_ratios=(0.5, 0.75, 0.9),
)

CROSSVAL = CrossvalRecipe(
    name="default_bundle",
    member=FinetuneRecipe(
        name="default_bundle",
        encoder="slim18",
        image_size_px=144,
        packed_size_px=176,
        optim=Optim(epochs=28, batch=32, base_lr=8e-3, warmup_epochs=1, min_lr=1e-5),
        drop_path=0.0,
        rand_augment="rand-m6-mstd0.5-inc1",
        crop_scale=(0.6, 1.0),
        keep_boxes=False,
        average=0.99,
    ),
    folds=5,
    seeds=(0,),
)

EXPORT = ExportRecipe(
    name="thorascope-slim18",
    version="0.2.0",
    masks=(4, 10),
    smoothing_px=4.0,
    bands_px=(0.0, 12.0),
)
