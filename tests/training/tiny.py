"""Networks, rows and recipes small enough for a test."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from models.imaging.phantom import draw
from models.labels import CHESTXRAY14
from models.nets.mae import MaeConfig, MaskedAutoencoder
from models.nets.vit import VitClassifier, VitShape
from training.recipes.types import FinetuneRecipe, Optim, PretrainRecipe

SIDE_PX = 32

Network = TypeVar("Network", bound=torch.nn.Module)

PRETRAIN = PretrainRecipe(
    name="tiny",
    encoder="vit_tiny",
    decoder="128x2h4",
    optim=Optim(epochs=3, batch=4, base_lr=6e-2, warmup_epochs=1, beta2=0.95),
    mask_ratio=0.5,
    image_size_px=SIDE_PX,
    packed_size_px=40,
)
FINETUNE = FinetuneRecipe(
    name="tiny",
    encoder="vit_tiny",
    optim=Optim(epochs=3, batch=4, base_lr=6e-2, warmup_epochs=1, layer_decay=0.65),
    crop_scale=(0.5, 1.0),
    image_size_px=SIDE_PX,
    packed_size_px=40,
)


def phantoms(num: int, side: int = PRETRAIN.packed_size_px) -> np.ndarray:
    """(num, side, side) uint8."""
    return np.stack([np.array(Image.fromarray(draw(seed, 128, 128)).resize((side, side))) for seed in range(num)])


def spread(network: Network, seed: int = 0) -> Network:
    """Random weights large enough that no term of a gradient is negligible."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return network.eval()


def classifier(head: str = "token", side: int = SIDE_PX) -> VitClassifier:
    """Two blocks, 48 wide."""
    torch.manual_seed(0)
    return spread(VitClassifier(VitShape(48, 2, 3), num_findings=14, head=head, image_size_px=side))


def autoencoder(side: int = SIDE_PX, *, norm_pix_loss: bool = False) -> MaskedAutoencoder:
    """Two blocks and one decoder block."""
    torch.manual_seed(0)
    return spread(
        MaskedAutoencoder(MaeConfig(VitShape(48, 2, 3), VitShape(32, 1, 4), side, norm_pix_loss=norm_pix_loss))
    )


def write_manifest_csv(folder: Path, num: int = 12) -> Path:
    """Phantoms as PNG with labels: each finding present on some and absent on others; half train, half val."""
    names = list(CHESTXRAY14)
    rows = []
    for index in range(num):
        Image.fromarray(draw(index, 96, 80)).save(folder / f"{index}.png")
        picked = [] if index % 4 == 3 else [name for place, name in enumerate(names) if (place + index) % 4 < 2]
        rows.append(
            {
                "file": f"{index}.png",
                "label": ";".join(picked) or "No Finding",
                "split": "train" if index % 2 else "val",
                "source": "phantom",
                "patient_group": f"p{index}",
                "nih_index": f"{index}.png",
                "weights_ok": "yes",
            }
        )
    path = folder / "manifest.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def lasting(recipe: PretrainRecipe, epochs: int) -> PretrainRecipe:
    """The same recipe with another number of epochs."""
    return replace(recipe, optim=replace(recipe.optim, epochs=epochs))
