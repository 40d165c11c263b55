"""Networks by their names in recipes, and how they start."""

from typing import cast

import torch
from torch import nn

from models.nets.densenet import DenseNetClassifier
from models.nets.vit import VIT_SHAPES, VitClassifier, vit
from training.recipes.types import FinetuneRecipe, LinprobeRecipe

Classifier = VitClassifier | DenseNetClassifier

CNNS: dict[str, type[DenseNetClassifier]] = {
    "densenet121": DenseNetClassifier,
}


def build_classifier(recipe: FinetuneRecipe | LinprobeRecipe, num_findings: int) -> Classifier:
    """The recipe's network, random from its seed.

    A vision transformer gets a nearly silent head, so that the first steps change the head before the trunk.

    Raises:
        ValueError: there is no such encoder.

    Source: facebookresearch/mae, main_finetune.py (`trunc_normal_(head.weight, std=2e-5)`).
    """
    torch.manual_seed(recipe.seed)
    if recipe.encoder in CNNS:
        return CNNS[recipe.encoder](num_findings)
    if recipe.encoder not in VIT_SHAPES:
        raise ValueError(f"{recipe.encoder!r} is no encoder; there are {', '.join([*VIT_SHAPES, *CNNS])}")
    network = vit(
        recipe.encoder,
        num_findings=num_findings,
        head=recipe.head,
        image_size_px=recipe.image_size_px,
        drop_path=recipe.drop_path if isinstance(recipe, FinetuneRecipe) else 0.0,
    )
    nn.init.trunc_normal_(head_of(network).weight, std=2e-5)
    return network


def head_of(network: Classifier) -> nn.Linear:
    """The last layer, from features to logits."""
    name = {VitClassifier: "head", DenseNetClassifier: "classifier"}[type(network)]
    return cast("nn.Linear", network.get_submodule(name))
