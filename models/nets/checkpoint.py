"""Checkpoints: official, timm's, torchvision's and our own open into a network whose every tensor came from the file.

Nothing is matched by luck. Names that are missing, unexpected or of another shape are listed and refused; the one
exception is the exchange of a head, which `initialise_encoder` makes and reports.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.errors import CheckpointError
from models.nets.architecture import Network, build, from_json, to_json
from models.nets.densenet import DenseNetClassifier
from models.nets.mae import MaeConfig
from models.nets.pos_embed import resample
from models.nets.recognition import Told, infer
from models.nets.vit import VitClassifier
from models.nets.weights import Weights, read_weights, write_weights


def load(
    path: Path, *, heads: int | None = None, decoder_heads: int | None = None, norm_pix_loss: bool | None = None
) -> Network:
    """Open a checkpoint of medical_mae, facebookresearch/mae, timm, torchvision's DenseNet, or our own.

    Args:
        path: `.pth` container, bare state dict, or safetensors.
        heads: attention heads; known for ViT-Ti, ViT-S and ViT-B and from our own files.
        decoder_heads: the same of a masked autoencoder's decoder; known for released ones and from our own files.
        norm_pix_loss: whether a masked autoencoder learned standardised patches; official containers and our own files
            say it, a bare state dict cannot.

    Returns:
        The network in eval mode, on the CPU.

    Raises:
        CheckpointError: the file is damaged or asks for more than tensors; its names, shapes or values are not those of
            a network of ours; or something above is not known and not given.
    """
    weights = read_weights(path)
    with _refusing(path.name):
        network = build(infer(weights, Told(heads, decoder_heads, norm_pix_loss)))
        _check(network.state_dict(), weights.state)
    network.load_state_dict(weights.state)
    return network.eval()


def save(network: Network, path: Path) -> None:
    """Write safetensors with the architecture beside the weights, so that `load` has nothing to ask."""
    write_weights(path, network.state_dict(), to_json(network.config))


@dataclass(frozen=True, slots=True)
class Transfer:
    """What an initialisation took over.

    Attributes:
        skipped: names in the source that have no place in the classifier: decoder, head.
        fresh: names of the classifier that the source does not have; they keep the values they had.
        resampled: whether position embeddings were carried to another grid.
    """

    skipped: tuple[str, ...]
    fresh: tuple[str, ...]
    resampled: bool


def initialise_encoder(classifier: VitClassifier | DenseNetClassifier, source: Path | Mapping[str, Tensor]) -> Transfer:
    """Start a classifier from a masked autoencoder or from a classifier of other things, its head excepted.

    An average-pool head's `fc_norm` is taken over where the source has one; a masked autoencoder has not, and its
    `norm`, which belongs to the class token, is left behind.

    Args:
        classifier: changed in place; the head is not touched.
        source: a checkpoint, or a state dict.

    Raises:
        CheckpointError: as `load`; or the source has other blocks, widths or heads.
    """
    if isinstance(source, Path):
        weights = read_weights(source)
        with _refusing(source.name):
            _check_heads(classifier, weights)
            return _transfer(classifier, weights.state)
    with _refusing("the source"):
        return _transfer(classifier, source)


def _transfer(classifier: VitClassifier | DenseNetClassifier, source: Mapping[str, Tensor]) -> Transfer:
    own = classifier.state_dict()
    left_behind, kept = _exchange(classifier)
    tensors = {name: value for name, value in source.items() if not name.startswith(left_behind)}
    fresh = tuple(name for name in own if name.startswith(kept) and name not in tensors)
    resampled = isinstance(classifier, VitClassifier) and _fit(tensors, classifier.patch_embed.grid_size[0])
    _check({name: value for name, value in own.items() if name not in fresh}, tensors)
    classifier.load_state_dict(tensors, strict=False)
    return Transfer(tuple(name for name in source if name not in tensors), fresh, resampled)


def _fit(tensors: dict[str, Tensor], grid: int) -> bool:
    """Carry position embeddings to a grid; what is no table of numbers is left for the check to name."""
    table = tensors.get("pos_embed")
    if table is None or table.ndim != 3 or not table.is_floating_point():
        return False
    tensors["pos_embed"] = resample(table, grid)
    return tensors["pos_embed"] is not table


def _exchange(classifier: VitClassifier | DenseNetClassifier) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names that a source may have in vain, and names that it may lack, by how they begin."""
    if not isinstance(classifier, VitClassifier):
        return ("classifier.",), ("classifier.",)
    left_behind = ("head.", "decoder_", "mask_token")
    if classifier.global_pool == "token":
        return left_behind, ("head.",)
    return (*left_behind, "norm."), ("head.", "fc_norm.")


def _check_heads(classifier: VitClassifier | DenseNetClassifier, weights: Weights) -> None:
    """Shapes do not tell attention heads apart; our own files do."""
    if weights.metadata is None or not isinstance(classifier, VitClassifier):
        return
    record = from_json(weights.metadata)
    shape = record.encoder if isinstance(record, MaeConfig) else record.shape
    if shape != classifier.config.shape:
        raise CheckpointError(f"it holds {shape}, the classifier is {classifier.config.shape}")


def _check(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Every name of `own` and no other, with its shape, a number of its kind, and finite."""
    both = sorted(own.keys() & tensors.keys())
    findings = {
        "missing": sorted(own.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - own.keys()),
        "of another shape": [
            f"{name} {tuple(tensors[name].shape)} for {tuple(own[name].shape)}"
            for name in both
            if tensors[name].shape != own[name].shape
        ],
        "no plain numbers": [name for name in both if not _is_plain(tensors[name], own[name])],
    }
    if not any(findings.values()):
        findings["not finite"] = [name for name in both if not tensors[name].isfinite().all()]
    if said := [f"{finding}: {', '.join(names)}" for finding, names in findings.items() if names]:
        raise CheckpointError("; ".join(said))


def _is_plain(tensor: Tensor, own: Tensor) -> bool:
    """Dense, in memory, not quantised, and floating where the network's is."""
    return (
        tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and tensor.is_floating_point() == own.is_floating_point()
    )


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Say which file it was, and that there is no such network where its parts cannot be put together."""
    try:
        yield
    except (CheckpointError, ValueError, AssertionError) as error:
        raise CheckpointError(f"{name}: {error}") from error
