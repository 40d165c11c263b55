"""Architectures as values: what a network is built from, and what our own checkpoints state beside their weights."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.errors import CheckpointError
from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.densenet import DenseNetClassifier, DenseNetConfig
from models.nets.mae import MaeConfig, MaskedAutoencoder
from models.nets.moco import MocoConfig, MomentumContrast
from models.nets.probe import ProbeClassifier, ProbeConfig
from models.nets.resnet import ResNetClassifier, ResNetConfig
from models.nets.slim_resnet import SlimClassifier, SlimConfig
from models.nets.vit import VitClassifier, VitConfig

Config = (
    VitConfig | ProbeConfig | DenseNetConfig | ResNetConfig | SlimConfig | MaeConfig | InpaintingConfig | MocoConfig
)
Classifier = VitClassifier | ProbeClassifier | DenseNetClassifier | ResNetClassifier | SlimClassifier
Network = Classifier | MaskedAutoencoder | InpaintingAutoencoder | MomentumContrast

_KINDS: Mapping[str, type[Config]] = {
    "vit": VitConfig,
    "probe": ProbeConfig,
    "densenet": DenseNetConfig,
    "resnet": ResNetConfig,
    "slim": SlimConfig,
    "mae": MaeConfig,
    "inpainting": InpaintingConfig,
    "moco": MocoConfig,
}

# Those whose constructor takes the architecture as it is.
_BUILDERS: Mapping[type[Config], Callable[[Any], Network]] = {
    ProbeConfig: ProbeClassifier,
    SlimConfig: SlimClassifier,
    MaeConfig: MaskedAutoencoder,
    InpaintingConfig: InpaintingAutoencoder,
    MocoConfig: MomentumContrast,
}


def build(config: Config) -> Network:
    """The network of an architecture, freshly initialised."""
    match config:
        case VitConfig(shape, num_findings, head, image_size_px, patch_size_px):
            return VitClassifier(
                shape, num_findings=num_findings, head=head, image_size_px=image_size_px, patch_size_px=patch_size_px
            )
        case DenseNetConfig(shape, num_findings):
            return DenseNetClassifier(num_findings, shape)
        case ResNetConfig(shape, num_findings):
            return ResNetClassifier(num_findings, shape)
        case _:
            return _BUILDERS[type(config)](config)


def to_json(config: Config) -> str:
    """An architecture as the metadata of our own files."""
    kind = next(kind for kind, kind_of_config in _KINDS.items() if isinstance(config, kind_of_config))
    return json.dumps({"kind": kind, "config": asdict(config)})


def from_json(metadata: str) -> Config:
    """Undo `to_json`.

    Raises:
        CheckpointError: the text states no architecture that is known here.
    """
    try:
        stated = json.loads(metadata)
        return TypeAdapter(_KINDS[stated["kind"]]).validate_python(stated["config"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise CheckpointError("the metadata states no architecture that is known here") from error
