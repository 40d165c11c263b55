"""Table 5: COVIDx 9A, three classes, with what each network costs.

    python -m training reproduce table5 --data DATA --any-licence

Parameters and multiply-accumulates are counted without training, by the convention of the paper's column (ptflops),
which leaves out attention's two matrix products: a quarter of what a ViT-S does at 448 px.
"""

from training.recipes.base import at_448, on
from training.recipes.table import Cited, Contrast, Number, PaperRow, Table
from training.recipes.table1 import CNN_MAE, CNN_MOCO, VIT_MAE
from training.recipes.table4 import VIT_B_MAE
from training.recipes.types import FinetuneRecipe


def _numbers(millions: float, giga_macs: float, accuracy: float, sensitivity: float) -> tuple[Number, ...]:
    return (
        Number("# Params (M)", "parameters_m", millions),
        Number("MACs (G)", "macs_g", giga_macs),
        Number("Accuracy", "accuracy", accuracy),
        Number("COVID-19 Sensitivity", "sensitivity:COVID-19", sensitivity),
    )


def _row(key: str, label: str, recipe: FinetuneRecipe, numbers: tuple[Number, ...]) -> PaperRow:
    return PaperRow(key, label, on(recipe, "covidx"), numbers)


TABLE = Table(
    name="table5",
    title="COVIDx benchmark",
    rows=(
        _row("cnn-moco-448", "MoCo v2, DN121, 448x448", at_448(CNN_MOCO), _numbers(7, 11.6, 96.0, 96.5)),
        _row("cnn-mae-448", "MAE, DN121, 448x448", at_448(CNN_MAE), _numbers(7, 11.6, 96.3, 98.0)),
        _row("vit-s-448", "MAE, ViT-S/16, 448x448", at_448(VIT_MAE), _numbers(22, 16.9, 95.3, 95.0)),
        _row("vit-b-448", "MAE, ViT-B/16, 448x448", at_448(VIT_B_MAE), _numbers(86, 67.2, 97.3, 98.0)),
        _row("cnn-moco", "MoCo v2, DN121, 224x224", CNN_MOCO, _numbers(7, 2.9, 94.0, 94.5)),
        _row("cnn-mae", "MAE, DN121, 224x224", CNN_MAE, _numbers(7, 2.9, 96.5, 97.0)),
        _row("vit-s", "MAE, ViT-S/16, 224x224", VIT_MAE, _numbers(22, 4.2, 95.2, 94.5)),
        _row("vit-b", "MAE, ViT-B/16, 224x224", VIT_B_MAE, _numbers(86, 16.9, 95.3, 95.5)),
    ),
    cited=(
        Cited("COVIDNet-CXR-3, 480x480", _numbers(29, 29.1, 98.3, 97.5)),
        Cited("COVIDNet-CXR-2, 480x480", _numbers(9, 5.6, 96.3, 95.5)),
        Cited("COVIDNet-CXR4-A, 480x480", _numbers(40, 23.6, 94.3, 95.0)),
        Cited("COVIDNet-CXR4-B, 480x480", _numbers(12, 7.5, 93.7, 93.0)),
        Cited("COVIDNet-CXR4-C, 480x480", _numbers(9, 5.6, 93.3, 96.0)),
        Cited("COVIDNet-CXR3-A, 480x480", _numbers(40, 23.6, 93.3, 94.0)),
        Cited("COVIDNet-CXR3-B, 480x480", _numbers(12, 7.5, 93.3, 91.0)),
        Cited("COVIDNet-CXR3-C, 480x480", _numbers(9, 5.6, 92.3, 95.0)),
        Cited("COVIDNet-CXR Small, 224x224 (sensitivity on 31 images)", _numbers(117, 2.3, 92.6, 87.1)),
        Cited("COVIDNet-CXR Large, 224x224 (sensitivity on 31 images)", _numbers(127, 3.6, 94.4, 96.8)),
    ),
    contrasts=(Contrast("vit-s", "cnn-mae"), Contrast("vit-s-448", "vit-s")),
)
