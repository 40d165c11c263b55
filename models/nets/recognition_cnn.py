"""Which convolutional network a set of tensors belongs to; their shapes tell all of it."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from models.errors import CheckpointError
from models.nets.cnn_mae import InpaintingConfig
from models.nets.densenet import DenseNetConfig, DenseNetShape
from models.nets.moco import MocoConfig
from models.nets.resnet import ResNetConfig, ResNetShape
from models.nets.slim_resnet import SlimConfig, SlimShape
from models.nets.state_dict import below, count_parts, shape_of
from models.nets.weights import Weights

DENSENET_STEM, RESNET_STEM = "features.conv0.weight", "layer1.0.conv1.weight"
INPAINTING_STEM = f"model.encoder.{DENSENET_STEM}"
MOCO_PREFIX = "encoder_q."
SLIM_PREFIX = "members."

Config = DenseNetConfig | ResNetConfig | SlimConfig | InpaintingConfig | MocoConfig


def infer_cnn(weights: Weights, record: object) -> Config | None:
    """Architecture of a file's network; None where it is no convolutional one.

    Args:
        weights: the file.
        record: the architecture that the file states, if it is ours.

    Raises:
        CheckpointError: a tensor that tells the size is missing or of another kind; or constants of momentum contrast
            are stated nowhere.
    """
    state = weights.state
    if DENSENET_STEM in state:
        return DenseNetConfig(_densenet(state), shape_of(state, "classifier.weight", 2)[0])
    if RESNET_STEM in state:
        return ResNetConfig(_resnet(state), shape_of(state, "fc.weight", 2)[0])
    if INPAINTING_STEM in state:
        return _inpainting(weights, record)
    if any(name.startswith(SLIM_PREFIX) for name in state):
        return _slim(state, record)
    if any(name.startswith(MOCO_PREFIX) for name in state):
        return _moco(state, record)
    return None


def _densenet(state: Mapping[str, Tensor]) -> DenseNetShape:
    first, second, third, fourth = (count_parts(state, f"features.denseblock{block}.") for block in range(1, 5))
    growth = shape_of(state, "features.denseblock1.denselayer1.conv2.weight", 4)[0]
    return DenseNetShape(growth, (first, second, third, fourth), shape_of(state, DENSENET_STEM, 4)[0])


def _resnet(state: Mapping[str, Tensor]) -> ResNetShape:
    first, second, third, fourth = (count_parts(state, f"layer{stage}.") for stage in range(1, 5))
    if min(first, second, third, fourth) < 1:
        raise CheckpointError("a stage of a ResNet has no blocks")
    return ResNetShape((first, second, third, fourth), shape_of(state, RESNET_STEM, 4)[0])


def _slim(state: Mapping[str, Tensor], record: object) -> SlimConfig:
    """Shape and members from the tensors; the size at which pictures are looked at from the file."""
    if not isinstance(record, SlimConfig):
        raise CheckpointError("a slim ResNet has to say at which size it looks at pictures")
    findings = shape_of(state, f"{SLIM_PREFIX}0.fc.weight", 2)[0]
    return SlimConfig(_slim_shape(state), findings, count_parts(state, SLIM_PREFIX), record.image_size_px)


def _slim_shape(state: Mapping[str, Tensor]) -> SlimShape:
    first = below(state, f"{SLIM_PREFIX}0.")
    one, two, three, four = (count_parts(first, f"layer{stage}.") for stage in range(1, 5))
    return SlimShape((one, two, three, four), shape_of(first, "conv1.weight", 4)[0])


def _inpainting(weights: Weights, record: object) -> InpaintingConfig:
    """What the file says, else what the official code does: no tensor depends on sizes or on the loss."""
    if isinstance(record, InpaintingConfig):
        return record
    side_px = weights.arguments.get("input_size")
    return InpaintingConfig(image_size_px=side_px) if isinstance(side_px, int) else InpaintingConfig()


def _moco(state: Mapping[str, Tensor], record: object) -> MocoConfig:
    if not isinstance(record, MocoConfig):
        raise CheckpointError(
            "momentum contrast whose momentum and temperature are not stated cannot go on; it can only initialise a"
            " classifier"
        )
    encoder = below(state, MOCO_PREFIX)
    shape = _shape(encoder)
    dim, queue = shape_of(state, "queue", 2)
    return replace(record, encoder=shape, dim=dim, queue=queue)


def _shape(encoder: Mapping[str, Tensor]) -> DenseNetShape | ResNetShape | SlimShape:
    if DENSENET_STEM in encoder:
        return _densenet(encoder)
    return _slim_shape(encoder) if any(name.startswith(SLIM_PREFIX) for name in encoder) else _resnet(encoder)
