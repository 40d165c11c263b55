"""What smoke runs have in the place of published files: random networks in the originals' layouts, and boxes."""

from argparse import Namespace
from pathlib import Path

import torch
from torch import nn

from models.labels import CHESTXRAY14
from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.densenet import DENSENET121, DenseNetClassifier
from models.nets.mae import mae
from models.nets.moco import MocoConfig, MomentumContrast
from models.nets.resnet import RESNET50, ResNetClassifier
from models.nets.vit import vit
from training.data import manifest
from training.data.boxes import SIDE_PX as SIDE_PX_OF_BOXES
from training.data.catalogue import open_dataset
from training.recipes.types import FromFile
from training.reproduction.tiny import SIDE_PX

_NUM_IMAGENET = 1000
_QUEUE = 16
_BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


def write_stand_in(file: FromFile, folder: Path) -> Path:
    """Write `<key>.pth`; transformers are ViT-Ti, as in tiny recipes."""
    torch.manual_seed(0)
    path = folder / f"{file.key}.pth"
    torch.save({"model": _network(file.key).state_dict(), "args": Namespace(norm_pix_loss=False)}, path)
    return path


def write_boxes(root: Path) -> None:
    """Boxes on a manifest's pictures, which its twin lacks: the middle of the picture, for each finding on it."""
    dataset = open_dataset(manifest.NAME, root)
    middle = ",".join(str(SIDE_PX_OF_BOXES * share) for share in (0.25, 0.25, 0.5, 0.5))
    lines = [f"{row.file.name},{name},{middle}" for row in dataset.rows for name in sorted(row.labels)]
    (root / "BBox_List_2017.csv").write_text("".join(f"{line}\n" for line in (_BOX_HEADER, *lines)))


def _network(key: str) -> nn.Module:
    is_vit, is_finetuned = key.startswith("vit"), key.endswith("-finetuned")
    num_findings = len(CHESTXRAY14) if is_finetuned else _NUM_IMAGENET
    if is_vit and key.endswith("-mae"):
        return mae("vit_tiny", "512x2", image_size_px=SIDE_PX)
    if is_vit:
        return vit(
            "vit_tiny", num_findings=num_findings, head="avg" if is_finetuned else "token", image_size_px=SIDE_PX
        )
    if key == "densenet121-xray-mae":
        return InpaintingAutoencoder(InpaintingConfig())
    if key == "densenet121-xray-moco":
        return MomentumContrast(MocoConfig(DENSENET121, queue=_QUEUE))
    if key.startswith("resnet50"):
        return ResNetClassifier(num_findings, RESNET50)
    return DenseNetClassifier(num_findings, DENSENET121)
