"""What the recipes of arXiv:2210.12843 share: the README's commands of lambert-x/medical_mae as values.

Where paper, README and code differ, these are the README's; docs/reproduction.md lists every such place. Rows of tables
and figures are made from these by `dataclasses.replace`.
"""

from dataclasses import replace

from training.recipes.types import FinetuneRecipe, LinprobeRecipe, Optim, Start

X_RAYS_266K = ("chexpert", "chestxray14")  # 191,028 and 75,312 radiographs; the README's order
X_RAYS_510K = (*X_RAYS_266K, "mimic")  # and 243,334

# --batch_size 256 on 8 GPUs, --epochs 800 --warmup_epochs 40 --blr 1.5e-4 --weight_decay 0.05
PRETRAINING = Optim(epochs=800, batch=2048, base_lr=1.5e-4, warmup_epochs=40, weight_decay=0.05, beta2=0.95)

# --batch_size 128 on 8 GPUs, --epochs 75 --warmup_epochs 5 --blr 2.5e-4 --min_lr 1e-5 --weight_decay 0.05
FINETUNING = Optim(epochs=75, batch=1024, base_lr=2.5e-4, warmup_epochs=5, min_lr=1e-5, weight_decay=0.05)
EPOCHS_FROM_SCRATCH = 200  # the paper, caption of table 1; no README has a command for it

# --layer_decay 0.55 --drop_path 0.2 --aa rand-m6-mstd0.5-inc1 --eval_interval 10; `global_pool` is the code's default
FINETUNE_VIT = FinetuneRecipe(
    name="vit_s16",
    data=("chestxray14",),
    encoder="vit_small",
    head="avg",
    optim=replace(FINETUNING, layer_decay=0.55),
    drop_path=0.2,
    rand_augment="rand-m6-mstd0.5-inc1",
    crop_scale=(0.08, 1.0),
    eval_every=10,  # on our validation split; the official code looks at the test split and reports its best look
)

# --drop_path 0, no layer decay
FINETUNE_CNN = FinetuneRecipe(
    name="densenet121",
    data=("chestxray14",),
    encoder="densenet121",
    optim=FINETUNING,
    drop_path=0.0,
    rand_augment="rand-m6-mstd0.5-inc1",
    crop_scale=(0.08, 1.0),
    eval_every=10,
)

# Defaults of main_linprobe_chestxray.py; no README has a command. 512 a GPU, on the 8 GPUs of all other commands. The
# paper (section 5) has a batch of 16,384, 10 epochs of warm-up and 100 in all.
LINPROBE = LinprobeRecipe(
    name="linprobe_vit_s16",
    data=("chestxray14",),
    encoder="vit_small",
    head="token",
    optim=Optim(epochs=90, batch=4096, base_lr=0.1, warmup_epochs=10, weight_decay=0.0),
    crop_scale=(0.08, 1.0),
    eval_every=10,
)


def started(recipe: FinetuneRecipe, name: str, start: Start) -> FinetuneRecipe:
    """The same training from another start; random weights take `EPOCHS_FROM_SCRATCH`."""
    epochs = recipe.optim.epochs if start is not None else EPOCHS_FROM_SCRATCH
    return replace(recipe, name=name, start=start, optim=replace(recipe.optim, epochs=epochs))


def on(recipe: FinetuneRecipe, dataset: str) -> FinetuneRecipe:
    """The same training on another data set; "we reuse them for all three" (section 5)."""
    return replace(recipe, name=f"{recipe.name}-{dataset}", data=(dataset,))


def at_448(recipe: FinetuneRecipe) -> FinetuneRecipe:
    """The same training at twice the resolution; a transformer's position embeddings are resampled at its start."""
    return replace(recipe, name=f"{recipe.name}-448", image_size_px=448, packed_size_px=512)
