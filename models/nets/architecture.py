"""Architectures as values: what a network is built from, and what our own checkpoints state beside their weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from models.errors import CheckpointError
from models.nets.densenet import DenseNetClassifier, DenseNetConfig
from models.nets.mae import MaeConfig, MaskedAutoencoder
from models.nets.vit import VitClassifier, VitConfig

Config = VitConfig | MaeConfig | DenseNetConfig
Network = VitClassifier | MaskedAutoencoder | DenseNetClassifier

_KINDS: Mapping[str, type[Config]] = {"vit": VitConfig, "mae": MaeConfig, "densenet": DenseNetConfig}


def build(config: Config) -> Network:
    """The network of an architecture, freshly initialised."""
    match config:
        case VitConfig(shape, num_findings, head, image_size_px, patch_size_px):
            return VitClassifier(
                shape, num_findings=num_findings, head=head, image_size_px=image_size_px, patch_size_px=patch_size_px
            )
        case MaeConfig():
            return MaskedAutoencoder(config)
        case DenseNetConfig(shape, num_findings):
            return DenseNetClassifier(num_findings, shape)


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
