"""Which network a set of tensors belongs to: what their shapes say, what the file says, and what has to be asked for.

Shapes tell everything but three things: attention heads, the decoder's heads, and whether a masked autoencoder was
trained on standardised patches (`norm_pix_loss`). A guess at any of them gives a network that runs and is wrong.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from torch import Tensor

from models.errors import CheckpointError
from models.nets.architecture import Config, from_json
from models.nets.mae import DECODERS, MaeConfig
from models.nets.probe import ProbeConfig
from models.nets.recognition_cnn import infer_cnn
from models.nets.state_dict import count_parts, shape_of
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
    if isinstance(record, ProbeConfig):  # ours alone; names and shapes are compared when it is filled
        return record
    told = _reconcile(told, _told_by(weights, record))
    config = infer_cnn(weights, record) or _infer_vit(weights, told)
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


def _infer_vit(weights: Weights, told: Told) -> Config:
    if any(name.startswith("decoder_") or name == "mask_token" for name in weights.state):
        return _mae(weights, told)
    return _vit(weights.state, told)


def _vit(state: Mapping[str, Tensor], told: Told) -> VitConfig:
    if "head.weight" not in state:
        raise CheckpointError("an encoder without decoder and without head is no network; it can only initialise one")
    shape, image_size_px, patch_size_px = _encoder(state, told)
    num_findings = shape_of(state, "head.weight", 2)[0]
    head: Head = "avg" if "fc_norm.weight" in state else "token"
    return VitConfig(shape, num_findings, head, image_size_px, patch_size_px)


def _mae(weights: Weights, told: Told) -> MaeConfig:
    state = weights.state
    encoder, image_size_px, patch_size_px = _encoder(state, told)
    # A pickle comes from official code, whose decoders have 16 heads all; ours are safetensors and say what they are.
    known = [DECODERS[name] for name in _RELEASED_DECODERS] if weights.is_pickle else DECODERS.values()
    width, depth = shape_of(state, "decoder_embed.weight", 2)[0], count_parts(state, "decoder_blocks.")
    decoder = _with_heads(width, depth, told.decoder_heads, known, "decoder_heads")
    if told.norm_pix_loss is None:
        raise CheckpointError(
            "the file does not say what its decoder paints: give norm_pix_loss=True if it was trained on standardised"
            " patches, False if on pixels (medical_mae's recipe)"
        )
    return MaeConfig(encoder, decoder, image_size_px, patch_size_px, told.norm_pix_loss)


def _encoder(state: Mapping[str, Tensor], told: Told) -> tuple[VitShape, int, int]:
    """Shape, image size and patch size in pixels."""
    width, _, patch_size_px, _ = shape_of(state, "patch_embed.proj.weight", 4)
    num_patches = shape_of(state, "pos_embed", 3)[1] - 1
    grid = round(max(num_patches, 0) ** 0.5)
    if grid < 1 or grid**2 != num_patches:
        raise CheckpointError(f"pos_embed: {num_patches} patches form no square grid beside a class token")
    shape = _with_heads(width, count_parts(state, "blocks."), told.heads, VIT_SHAPES.values(), "heads")
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
