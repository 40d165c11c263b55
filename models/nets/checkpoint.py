"""Checkpoints: official, timm's, torchvision's and our own open into a network whose every tensor came from the file.

Nothing is matched by luck. Names that are missing, unexpected or of another shape are listed and refused; the one
exception is what lies round an encoder, its head first, which `initialise_encoder` leaves behind and reports.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from models.errors import CheckpointError
from models.nets.architecture import Classifier, Network, build, from_json, to_json
from models.nets.mae import MaeConfig
from models.nets.recognition import Told, infer
from models.nets.state_dict import require_equal_names
from models.nets.transfer import Transfer, take_over
from models.nets.vit import VitClassifier, VitConfig
from models.nets.weights import Weights, read_weights, write_weights


def load(
    path: Path, *, heads: int | None = None, decoder_heads: int | None = None, norm_pix_loss: bool | None = None
) -> Network:
    """Open a checkpoint of medical_mae, facebookresearch/mae, timm, torchvision's DenseNet or ResNet, or our own.

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
        require_equal_names(network.state_dict(), weights.state)
    network.load_state_dict(weights.state)
    return network.eval()


def save(network: Network, path: Path) -> None:
    """Write safetensors with the architecture beside the weights, so that `load` has nothing to ask."""
    write_weights(path, network.state_dict(), to_json(network.config))


def initialise_encoder(classifier: Classifier, source: Path | Mapping[str, Tensor]) -> Transfer:
    """Start a classifier from another network's encoder; the head is not touched.

    Sources are classifiers of other things (torchvision, timm, DeiT), autoencoders (facebookresearch/mae, medical_mae's
    two kinds, ours) and contrastive networks (MoCo, SwAV, BYOL, ours); `layouts` lists how they keep their encoders.
    An average-pool head's `fc_norm` is taken over where the source has one; a masked autoencoder has not, and its
    `norm`, which belongs to the class token, is left behind.

    Args:
        classifier: changed in place, in whole or not at all.
        source: a checkpoint, or a state dict.

    Raises:
        CheckpointError: as `load`; or the source has no such encoder, more than one, or one of other blocks, widths or
            heads.
    """
    if isinstance(source, Path):
        weights = read_weights(source)
        with _refusing(source.name):
            _check_heads(classifier, weights)
            return take_over(classifier, weights.state)
    with _refusing("the source"):
        return take_over(classifier, source)


def _check_heads(classifier: Classifier, weights: Weights) -> None:
    """Shapes do not tell attention heads apart; our own files do."""
    if weights.metadata is None or not isinstance(classifier, VitClassifier):
        return
    record = from_json(weights.metadata)
    if not isinstance(record, MaeConfig | VitConfig):
        return
    shape = record.encoder if isinstance(record, MaeConfig) else record.shape
    if shape != classifier.config.shape:
        raise CheckpointError(f"it holds {shape}, the classifier is {classifier.config.shape}")


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Say which file it was, and that there is no such network where its parts cannot be put together."""
    try:
        yield
    except (CheckpointError, ValueError, AssertionError) as error:
        raise CheckpointError(f"{name}: {error}") from error
