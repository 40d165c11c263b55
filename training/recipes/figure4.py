"""Figure 4: Grad-CAM of DenseNet-121 and ViT-S/16 beside radiologists' boxes.

    python -m training reproduce figure4 --data DATA --any-licence --weights densenet121-imagenet=FILE

The networks are those of table 7. The paper picks cases in which either succeeds; here they are the first with a box.
"""

from dataclasses import replace

from training.recipes.table import Table
from training.recipes.table7 import TABLE as LOCALIZATION

TABLE = Table(
    name="figure4",
    title="Grad-CAM of CNN and ViT",
    rows=tuple(replace(row, numbers=()) for row in LOCALIZATION.rows),
    variants=tuple(replace(row, numbers=()) for row in LOCALIZATION.variants),
    small_keys=("vit-s",),
    panel="saliency",
)
