"""Table 1: pre-training on ImageNet against pre-training on radiographs, for DenseNet-121 and ViT-S/16.

    python -m training reproduce table1 --data DATA --any-licence --weights vit-s-imagenet=FILE ...

Each line of the paper is three rows here, one a data set: `vit-mae`, `vit-mae-chexpert`, `vit-mae-covidx`. ResNet-50
stands in for DenseNet-121 where the paper has it so.
"""

from collections.abc import Iterator
from dataclasses import replace

from training.recipes import weights
from training.recipes.base import FINETUNE_CNN, FINETUNE_VIT, on, started
from training.recipes.inpaint_densenet121 import PRETRAIN as INPAINTING
from training.recipes.mae_vit_s16 import PRETRAIN, PRETRAIN_AS_IN_CODE, PRETRAIN_AS_IN_PAPER
from training.recipes.moco_densenet121 import PRETRAIN as MOCO
from training.recipes.table import Contrast, Number, PaperRow, Released, Table
from training.recipes.types import FinetuneRecipe, FromRun, PretrainRecipe

RESNET50 = replace(FINETUNE_CNN, encoder="resnet50")

CNN_RANDOM = started(FINETUNE_CNN, "densenet121-random", None)
CNN_IMAGENET = started(FINETUNE_CNN, "densenet121-imagenet", weights.DENSENET121_IMAGENET)
CNN_MOCO = started(FINETUNE_CNN, "densenet121-moco", FromRun(MOCO))
CNN_MAE = started(FINETUNE_CNN, "densenet121-mae", FromRun(INPAINTING))
VIT_RANDOM = started(FINETUNE_VIT, "vit_s16-random", None)
VIT_MAE = started(FINETUNE_VIT, "vit_s16-mae", FromRun(PRETRAIN))

# Key, label, recipe, and what is printed for ChestX-ray14, CheXpert and COVIDx.
_Line = tuple[str, str, FinetuneRecipe, tuple[float, float, float]]
_LINES: tuple[_Line, ...] = (
    ("cnn-random", "DenseNet-121, random", CNN_RANDOM, (80.4, 87.8, 93.0)),
    ("cnn-imagenet", "DenseNet-121, ImageNet, categorization", CNN_IMAGENET, (82.2, 89.4, 94.4)),
    (
        "cnn-imagenet-moco",
        "ResNet-50, ImageNet, MoCo v2",
        started(RESNET50, "resnet50-moco", weights.RESNET50_MOCO),
        (80.9, 87.9, 95.5),
    ),
    (
        "cnn-imagenet-byol",
        "ResNet-50, ImageNet, BYOL",
        started(RESNET50, "resnet50-byol", weights.RESNET50_BYOL),
        (81.0, 87.8, 95.0),
    ),
    (
        "cnn-imagenet-swav",
        "ResNet-50, ImageNet, SwAV",
        started(RESNET50, "resnet50-swav", weights.RESNET50_SWAV),
        (81.5, 88.0, 95.8),
    ),
    ("cnn-moco", "DenseNet-121, X-rays (0.3M), MoCo v2", CNN_MOCO, (80.6, 88.7, 94.0)),
    ("cnn-mae", "DenseNet-121, X-rays (0.3M), MAE", CNN_MAE, (81.2, 88.7, 96.5)),
    ("vit-random", "ViT-S/16, random", VIT_RANDOM, (67.9, 77.9, 87.3)),
    (
        "vit-imagenet",
        "ViT-S/16, ImageNet, categorization",
        started(FINETUNE_VIT, "vit_s16-imagenet", weights.DEIT_SMALL),
        (79.6, 88.1, 94.3),
    ),
    (
        "vit-imagenet-mae",
        "ViT-S/16, ImageNet, MAE",
        started(FINETUNE_VIT, "vit_s16-imagenet-mae", weights.VIT_S_IMAGENET_MAE),
        (78.6, 88.3, 88.8),
    ),
    ("vit-mae", "ViT-S/16, X-rays (0.3M), MAE", VIT_MAE, (82.3, 89.2, 95.2)),
)


def _rows(key: str, label: str, recipe: FinetuneRecipe, printed: tuple[float, float, float]) -> Iterator[PaperRow]:
    nih, chexpert, covidx = printed
    recipe_on = {dataset: on(recipe, dataset) for dataset in ("chestxray14", "chexpert", "covidx")}
    yield PaperRow(key, label, recipe_on["chestxray14"], (Number("ChestX-ray14", "mean_auroc", nih),))
    yield PaperRow(f"{key}-chexpert", label, recipe_on["chexpert"], (Number("CheXpert", "mean_auroc", chexpert),))
    yield PaperRow(f"{key}-covidx", label, recipe_on["covidx"], (Number("COVIDx", "accuracy", covidx),))


def _variant(key: str, pretraining: PretrainRecipe, note: str) -> PaperRow:
    """`vit-mae` after another pre-training; where that saw ImageNet's statistics alone, fine-tuning does, too."""
    recipe = on(started(FINETUNE_VIT, key.replace("vit-mae", "vit_s16-mae"), FromRun(pretraining)), "chestxray14")
    if pretraining.normalisation == "imagenet":
        recipe = replace(recipe, normalisation="imagenet")
    return PaperRow(key, "ViT-S/16, X-rays (0.3M), MAE", recipe, (_NIH,), note)


_NIH = Number("ChestX-ray14", "mean_auroc", 82.3)
_WARMUP_20 = replace(PRETRAIN, name="mae_vit_s16-warmup20", optim=PRETRAIN_AS_IN_PAPER.optim)
_IMAGENET = replace(PRETRAIN, name="mae_vit_s16-imagenet", normalisation="imagenet")
_WITHOUT_DECAY = replace(
    on(VIT_RANDOM, "chestxray14"),
    name="vit_s16-random-no-decay-chestxray14",
    optim=replace(VIT_RANDOM.optim, layer_decay=1.0),
)

TABLE = Table(
    name="table1",
    title="Pre-training on ImageNet vs. X-rays",
    rows=tuple(row for line in _LINES for row in _rows(*line)),
    variants=(
        _variant("vit-mae-paper", PRETRAIN_AS_IN_PAPER, "the text: warm-up of 20 epochs, ImageNet's statistics"),
        _variant("vit-mae-warmup20", _WARMUP_20, "the text: warm-up of 20 epochs"),
        _variant("vit-mae-imagenet", _IMAGENET, "the text: ImageNet's statistics"),
        _variant("vit-mae-per-dataset", PRETRAIN_AS_IN_CODE, "the code: ImageNet's statistics for CheXpert alone"),
        PaperRow(
            "vit-random-no-decay",
            "ViT-S/16, random",
            _WITHOUT_DECAY,
            (Number("ChestX-ray14", "mean_auroc", 67.9),),
            "no layer decay, which holds the lowest of the random layers almost still",
        ),
        PaperRow(
            "vit-mae-from-released",
            "ViT-S/16, X-rays (0.3M), MAE",
            on(started(FINETUNE_VIT, "vit_s16-mae-from-released", weights.VIT_S_XRAY_MAE), "chestxray14"),
            (_NIH,),
            "fine-tuned here from the released pre-training",
        ),
        PaperRow(
            "cnn-mae-from-released",
            "DenseNet-121, X-rays (0.3M), MAE",
            on(started(FINETUNE_CNN, "densenet121-mae-from-released", weights.DENSENET121_XRAY_MAE), "chestxray14"),
            (Number("ChestX-ray14", "mean_auroc", 81.2),),
            "fine-tuned here from the released pre-training",
        ),
        *(
            PaperRow(
                f"{key}-released",
                label,
                Released(f"{key}-released", weights.finetuned(file), ("chestxray14",)),
                (Number("ChestX-ray14", "mean_auroc", paper),),
                "the released classifier, measured here",
            )
            for key, label, file, paper in (
                ("cnn-imagenet", "DenseNet-121, ImageNet, categorization", weights.DENSENET121_IMAGENET, 82.2),
                ("cnn-moco", "DenseNet-121, X-rays (0.3M), MoCo v2", weights.DENSENET121_XRAY_MOCO, 80.6),
                ("cnn-mae", "DenseNet-121, X-rays (0.3M), MAE", weights.DENSENET121_XRAY_MAE, 81.2),
                ("vit-imagenet-mae", "ViT-S/16, ImageNet, MAE", weights.VIT_S_IMAGENET_MAE, 78.6),
                ("vit-mae", "ViT-S/16, X-rays (0.3M), MAE", weights.VIT_S_XRAY_MAE, 82.3),
            )
        ),
    ),
    contrasts=(
        Contrast("vit-mae", "vit-random"),
        Contrast("vit-mae", "vit-random-no-decay"),
        Contrast("vit-mae", "vit-imagenet"),
        Contrast("vit-mae", "cnn-mae"),
        Contrast("cnn-mae", "cnn-moco"),
    ),
    small_keys=("vit-random", "vit-random-no-decay", "vit-mae"),
)
