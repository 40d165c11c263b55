"""Which network a set of tensors belongs to: what their shapes say, what the file says, and what has to be asked for.

Shapes tell everything but three things: attention heads, the decoder's heads, and whether a masked autoencoder was
trained on standardised patches (`norm_pix_loss`). A guess at any of them gives a network that runs and is wrong.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from torch import Tensor

from models.errors import CheckpointError
from models.nets.architecture import Config, from_json
from models.nets.densenet import DenseNetConfig, DenseNetShape
from models.nets.mae import DECODERS, MaeConfig
from models.nets.vit import VIT_SHAPES, Head, VitConfig, VitShape
from models.nets.weights import Weights

_RELEASED_DECODERS = ("512x2", "512x8", "128x2")


@dataclass(frozen=True, slots=True)
class Told:
    """What shapes do not tell; None where nobody has said."""

    heads: int | None = None
    decoder_heads: int | None = None
    norm_pix_loss: bool | None = None


def infer(weights: Weights, told: Told) -> Config:
    """Architecture of a file's network.

    Args:
        weights: the file.
        told: what the caller knows; it may add to what the file says, never contradict it.

    Raises:
        CheckpointError: the tensors are no network of ours, or contradict the metadata; or something must be told.
    """
    record = None if weights.metadata is None else from_json(weights.metadata)
    told = _reconcile(told, _told_by(weights, record))
    state = weights.state
    config: Config
    if "features.conv0.weight" in state:
        config = _densenet(state)
    elif any(name.startswith("decoder_") or name == "mask_token" for name in state):
        config = _mae(weights, told)
    else:
        config = _vit(state, told)
    if record not in (None, config):
        raise CheckpointError(f"the metadata says {record}, the tensors say {config}")
    return config


def _told_by(weights: Weights, record: Config | None) -> Told:
    if isinstance(record, MaeConfig):
        return Told(record.encoder.heads, record.decoder.heads, record.norm_pix_loss)
    if isinstance(record, VitConfig):
        return Told(record.shape.heads)
    argument = weights.arguments.get("norm_pix_loss")
    return Told(norm_pix_loss=argument if isinstance(argument, bool) else None)


def _reconcile(caller: Told, file: Told) -> Told:
    values = {}
    for name, said in asdict(caller).items():
        stated = getattr(file, name)
        if said is not None and stated not in (None, said):
            raise CheckpointError(f"{name} is {stated} by the file itself, not {said}")
        values[name] = said if stated is None else stated
    return Told(**values)


def _vit(state: Mapping[str, Tensor], told: Told) -> VitConfig:
    if "head.weight" not in state:
        raise CheckpointError("an encoder without decoder and without head is no network; it can only initialise one")
    shape, image_size_px, patch_size_px = _encoder(state, told)
    num_findings = _shape(state, "head.weight", 2)[0]
    head: Head = "avg" if "fc_norm.weight" in state else "token"
    return VitConfig(shape, num_findings, head, image_size_px, patch_size_px)


def _mae(weights: Weights, told: Told) -> MaeConfig:
    state = weights.state
    encoder, image_size_px, patch_size_px = _encoder(state, told)
    # A pickle comes from official code, whose decoders have 16 heads all; ours are safetensors and say what they are.
    known = [DECODERS[name] for name in _RELEASED_DECODERS] if weights.is_pickle else DECODERS.values()
    width, depth = _shape(state, "decoder_embed.weight", 2)[0], _num_numbered(state, "decoder_blocks")
    decoder = _with_heads(width, depth, told.decoder_heads, known, "decoder_heads")
    if told.norm_pix_loss is None:
        raise CheckpointError(
            "the file does not say what its decoder paints: give norm_pix_loss=True if it was trained on standardised"
            " patches, False if on pixels (medical_mae's recipe)"
        )
    return MaeConfig(encoder, decoder, image_size_px, patch_size_px, told.norm_pix_loss)


def _encoder(state: Mapping[str, Tensor], told: Told) -> tuple[VitShape, int, int]:
    """Shape, image size and patch size in pixels."""
    width, _, patch_size_px, _ = _shape(state, "patch_embed.proj.weight", 4)
    num_patches = _shape(state, "pos_embed", 3)[1] - 1
    grid = round(max(num_patches, 0) ** 0.5)
    if grid < 1 or grid**2 != num_patches:
        raise CheckpointError(f"pos_embed: {num_patches} patches form no square grid beside a class token")
    shape = _with_heads(width, _num_numbered(state, "blocks"), told.heads, VIT_SHAPES.values(), "heads")
    return shape, grid * patch_size_px, patch_size_px


def _with_heads(width: int, depth: int, told: int | None, known: Iterable[VitShape], argument: str) -> VitShape:
    if depth < 1:
        raise CheckpointError(f"a part of width {width} has no blocks")
    candidates = {shape for shape in known if (shape.width, shape.depth) == (width, depth)}
    if told is None and len(candidates) != 1:
        raise CheckpointError(
            f"{depth} blocks of width {width} do not tell their number of attention heads: give {argument}"
        )
    shape = candidates.pop() if told is None else VitShape(width, depth, told)
    if shape.heads < 1 or width % shape.heads:
        raise CheckpointError(f"{argument}={shape.heads} does not divide a width of {width}")
    return shape


def _densenet(state: Mapping[str, Tensor]) -> DenseNetConfig:
    first, second, third, fourth = (_num_layers(state, block) for block in range(1, 5))
    growth = _shape(state, "features.denseblock1.denselayer1.conv2.weight", 4)[0]
    stem = _shape(state, "features.conv0.weight", 4)[0]
    num_findings = _shape(state, "classifier.weight", 2)[0]
    return DenseNetConfig(DenseNetShape(growth, (first, second, third, fourth), stem), num_findings)


def _num_layers(state: Mapping[str, Tensor], block: int) -> int:
    prefix = f"features.denseblock{block}."
    return len({name.split(".")[2] for name in state if name.startswith(prefix)})


def _num_numbered(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.split(".")[1] for name in state if name.startswith(f"{prefix}.")})


def _shape(state: Mapping[str, Tensor], name: str, ndim: int) -> tuple[int, ...]:
    if name not in state:
        raise CheckpointError(f"{name} is missing")
    shape = tuple(state[name].shape)
    if len(shape) != ndim:
        raise CheckpointError(f"{name} has {len(shape)} dimensions, not {ndim}")
    return shape
