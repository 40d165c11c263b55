"""Networks by their names in recipes."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import nn

from models.nets.architecture import Classifier
from models.nets.checkpoint import initialise_encoder
from models.nets.densenet import DENSENET121, DenseNetClassifier, DenseNetShape
from models.nets.probe import ProbeClassifier, ProbeConfig
from models.nets.resnet import RESNET50, ResNetClassifier, ResNetShape
from models.nets.slim_resnet import SLIM18, SlimClassifier, SlimConfig, SlimShape
from models.nets.vit import VIT_SHAPES, VitClassifier, vit
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe, LinprobeRecipe

CNN_SHAPES: Mapping[str, DenseNetShape | ResNetShape] = {"densenet121": DENSENET121, "resnet50": RESNET50}
SLIM_SHAPES: Mapping[str, SlimShape] = {"slim18": SLIM18}


def build_classifier(recipe: FinetuneRecipe | LinprobeRecipe, num_findings: int) -> Classifier:
    """The recipe's network, random from its seed.

    A vision transformer gets a nearly silent head, so that the first steps change the head before the trunk.

    Raises:
        ValueError: there is no such encoder.

    Source: facebookresearch/mae, main_finetune.py (`trunc_normal_(head.weight, std=2e-5)`).
    """
    torch.manual_seed(recipe.seed)
    match CNN_SHAPES.get(recipe.encoder):
        case DenseNetShape() as shape:
            return DenseNetClassifier(num_findings, shape)
        case ResNetShape() as shape:
            return ResNetClassifier(num_findings, shape)
    if recipe.encoder in SLIM_SHAPES:
        slim = SLIM_SHAPES[recipe.encoder]
        return SlimClassifier(SlimConfig(slim, num_findings, image_size_px=recipe.image_size_px))
    if recipe.encoder not in VIT_SHAPES:
        names = ", ".join([*VIT_SHAPES, *CNN_SHAPES, *SLIM_SHAPES])
        raise ValueError(f"{recipe.encoder!r} is no encoder; there are {names}")
    network = vit(
        recipe.encoder,
        num_findings=num_findings,
        head=recipe.head,
        image_size_px=recipe.image_size_px,
        drop_path=recipe.drop_path if isinstance(recipe, FinetuneRecipe) else 0.0,
    )
    nn.init.trunc_normal_(head_of(network).weight, std=2e-5)
    return network


def build_probe(recipe: ProbeRecipe, num_findings: int, start: Path, num_pictures: int) -> ProbeClassifier:
    """A probe whose trunk is that of a checkpoint; its head is not solved yet.

    Args:
        recipe: trunk, size and kernel.
        num_findings: outputs.
        start: the checkpoint.
        num_pictures: that the head will be solved on.

    Raises:
        CheckpointError: as `initialise_encoder`.
    """
    torch.manual_seed(recipe.seed)
    side_px, shape = recipe.image_size_px, VIT_SHAPES[recipe.encoder]
    carrier = VitClassifier(shape, num_findings=num_findings, image_size_px=side_px)
    initialise_encoder(carrier, start)
    num_supports = num_pictures if recipe.kernel == "gaussian" else 0
    probe = ProbeClassifier(ProbeConfig(shape, num_findings, side_px, num_supports=num_supports))
    encoder = {name: value for name, value in carrier.state_dict().items() if not name.startswith("head.")}
    probe.trunk.load_state_dict(encoder)
    return probe


def head_of(network: Classifier) -> nn.Linear:
    """The last layer, from features to logits."""
    if isinstance(network, SlimClassifier):
        raise ValueError("an ensemble has a head a member, none of its own")  # noqa: TRY004  # the caller's mistake
    name = {DenseNetClassifier: "classifier", ResNetClassifier: "fc"}.get(type(network), "head")
    return cast("nn.Linear", network.get_submodule(name))
