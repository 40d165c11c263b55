"""Figure 3: radiographs with an anomaly, what the masked autoencoder paints of them, and the difference.

    python -m training reproduce figure3 --data DATA --any-licence
    python -m training reproduce figure3 --rows vit-released --weights vit-s-xray-mae=FILE

The reconstruction is the mean over complementary masks, so that each patch is painted from what surrounds it. The
official notebook shows the mask that fits best.
"""

from training.recipes import weights
from training.recipes.mae_vit_s16 import PRETRAIN
from training.recipes.table import PaperRow, Released, Table

TABLE = Table(
    name="figure3",
    title="MAE could reveal anomalies",
    rows=(PaperRow("vit", "MAE ViT-S/16", PRETRAIN, ()),),
    variants=(
        PaperRow(
            "vit-released",
            "MAE ViT-S/16",
            Released("vit-s-xray-mae", weights.VIT_S_XRAY_MAE, ()),
            (),
            "the released network",
        ),
    ),
    panel="differences",
)
