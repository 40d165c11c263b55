"""Table 6: ChestX-ray14's 14 findings on the official test list.

python -m training reproduce table6 --data DATA --any-licence
"""

from training.recipes import weights
from training.recipes.base import on
from training.recipes.table import Cited, Contrast, Number, PaperRow, Released, Table
from training.recipes.table1 import CNN_MAE, CNN_MOCO, VIT_MAE
from training.recipes.table4 import VIT_B_MAE


def _mean(paper: float) -> tuple[Number]:
    return (Number("mAUC", "mean_auroc", paper),)


TABLE = Table(
    name="table6",
    title="ChestX-ray14 benchmark",
    rows=(
        PaperRow("cnn-moco", "MoCo v2, DN121, X-rays (0.3M)", on(CNN_MOCO, "chestxray14"), _mean(80.6)),
        PaperRow("cnn-mae", "MAE, DN121, X-rays (0.3M)", on(CNN_MAE, "chestxray14"), _mean(81.2)),
        PaperRow("vit-s", "MAE, ViT-S/16, X-rays (0.3M)", on(VIT_MAE, "chestxray14"), _mean(82.3)),
        PaperRow("vit-b", "MAE, ViT-B/16, X-rays (0.5M)", on(VIT_B_MAE, "chestxray14"), _mean(83.0)),
    ),
    variants=tuple(
        PaperRow(
            f"{key}-released",
            label,
            Released(f"{key}-released", weights.finetuned(file), ("chestxray14",)),
            _mean(paper),
            "the released classifier, measured here",
        )
        for key, label, file, paper in (
            ("vit-s", "MAE, ViT-S/16, X-rays (0.3M)", weights.VIT_S_XRAY_MAE, 82.3),
            ("vit-b", "MAE, ViT-B/16, X-rays (0.5M)", weights.VIT_B_XRAY_MAE, 83.0),
        )
    ),
    cited=(
        Cited("Wang et al., RN50", _mean(74.5)),
        Cited("Yao et al., RN&DN", _mean(76.1)),
        Cited("Li et al., RN50", _mean(75.5)),
        Cited("Tang et al., RN50", _mean(80.3)),
        Cited("Guendel et al., DN121", _mean(80.7)),
        Cited("Guan et al., DN121", _mean(81.6)),
        Cited("Wang et al., R152", _mean(78.8)),
        Cited("Ma et al., R101", _mean(79.4)),
        Cited("Baltruschat et al., RN50", _mean(80.6)),
        Cited("Seyyed et al., DN121", _mean(81.2)),
        Cited("Ma et al., DN121(x2)", _mean(81.7)),
        Cited("Hermoza et al., DN121", _mean(82.1)),
        Cited("Kim et al., DN121", _mean(82.2)),
        Cited("Haghighi et al., DN121", _mean(81.7)),
        Cited("Liu et al., DN121", _mean(81.8)),
        Cited("Taslimi et al., SwinT", _mean(81.0)),
    ),
    contrasts=(Contrast("vit-s", "cnn-mae"), Contrast("vit-b", "vit-s")),
)
