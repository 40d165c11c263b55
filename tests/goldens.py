"""The golden numbers of `tests/golden`, and the small networks that they belong to."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from models.nets.mae import MaeConfig, MaskedAutoencoder
from models.nets.vit import Head, VitClassifier, VitShape

FOLDER = Path(__file__).parent / "golden"
OFFICIAL_CONTAINER = FOLDER / "mae_official_container.pth"

ENCODER = VitShape(48, 2, 3)
DECODER = VitShape(32, 1, 4)
SIDE_PX = 64
NUM_FINDINGS = 14


def tensors(name: str) -> dict[str, Tensor]:
    """A safetensors file of the folder, by name without suffix."""
    return load_file(FOLDER / f"{name}.safetensors")


def facts(name: str = "facts") -> Any:
    """A JSON file of the folder, by name without suffix."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def autoencoder(*, norm_pix_loss: bool = False) -> MaskedAutoencoder:
    """The masked autoencoder with the `rand` weights."""
    network = MaskedAutoencoder(MaeConfig(ENCODER, DECODER, SIDE_PX, norm_pix_loss=norm_pix_loss))
    network.load_state_dict(tensors("mae_rand"))
    return network


def classifier(head: Head) -> VitClassifier:
    """The classifier with the `rand` weights, in eval mode."""
    network = VitClassifier(ENCODER, num_findings=NUM_FINDINGS, head=head, image_size_px=SIDE_PX)
    network.load_state_dict(tensors(f"vit_{head}_rand"))
    return network.eval()


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Largest difference, as a share of the largest expected value."""
    return float((actual - expected).abs().max() / expected.abs().max())
