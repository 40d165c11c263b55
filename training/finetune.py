"""Supervised training of a classifier, unknown labels masked."""

from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch.optim import Optimizer

from models.nets.architecture import Classifier
from models.nets.vit import VitClassifier
from training.average import rising_average
from training.data.augment import RandAugment
from training.data.crops import statistics_table
from training.data.packed import PackedImages
from training.data.steps import AugmentedLoad, LabelDraw, Plan, Steps
from training.engine import Engine
from training.loop import Trainee, train
from training.objectives import LabelObjective, Pixels
from training.optim import adamw, finetuning_groups, pretraining_groups
from training.recipes.types import FinetuneRecipe
from training.run import Run
from training.selection import Held, Selection

BEST = "best.pt"


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images and what is known of them.

    Attributes:
        images: N packed squares.
        labels: (N, F) float32, 1 present, 0 absent, NaN unknown.
        is_exclusive: exactly one finding a row.
        held: images that choose the best epoch; None keeps the last.
    """

    images: PackedImages
    labels: NDArray[np.float32]
    is_exclusive: bool = False
    held: Held | None = None


def finetune(
    recipe: FinetuneRecipe, network: Classifier, data: LabelledImages, run: Run, engine: Engine, fabric: Fabric
) -> Classifier | None:
    """Train a classifier.

    Args:
        recipe: augmentation and optimisation.
        network: the classifier, initialised.
        data: packed training images with labels.
        run: folder for checkpoints and the log; a checkpoint in it is continued.
        engine: how steps are executed.
        fabric: launched.

    Returns:
        The trained network in eval mode, as it was after its best epoch; None if the run was told to stop before its
        end.

    Raises:
        FloatingPointError: the loss is not finite.
        ValueError: no label is known, or the held images cannot choose.
    """
    if np.isnan(data.labels).all():
        raise ValueError("not one label of the training images is known")
    pixels = Pixels(
        recipe.image_size_px,
        statistics_table(recipe.data, recipe.normalisation),
        torch.from_numpy(data.images.part_of),
    )
    plan = Plan(len(data.images), recipe.optim.batch, recipe.seed, fabric.global_rank, fabric.world_size)
    draw = LabelDraw(data.labels, recipe.crop_scale)
    load = AugmentedLoad(data.images, recipe.image_size_px, RandAugment(recipe.rand_augment))
    objective = LabelObjective(network, pixels, is_exclusive=data.is_exclusive, compiled=engine.is_compiled)
    optimizer = optimizer_of(recipe, network)
    selection = None
    if recipe.eval_every and data.held is not None:
        epochs = range(recipe.eval_every, recipe.optim.epochs + 1, recipe.eval_every)
        selection = Selection(network, data.held, epochs, run.folder / BEST, fabric)
    average = None if recipe.average is None else rising_average(network.to(fabric.device), recipe.average)
    trainee = Trainee(network.train(), objective, optimizer, Steps(plan, draw, load), selection, average)
    if not train(trainee, recipe, run, engine, fabric):
        return None
    if average is not None:
        network.load_state_dict(average.module.state_dict())
    if selection is not None:
        selection.restore_best()
    return network.eval()


def optimizer_of(recipe: FinetuneRecipe, network: Classifier) -> Optimizer:
    """AdamW; a vision transformer's layers learn the slower the lower they are."""
    optim = recipe.optim
    if isinstance(network, VitClassifier):
        depth = len(network.blocks)
        return adamw(finetuning_groups(network, depth, optim.weight_decay, optim.layer_decay), optim.beta2)
    return adamw(pretraining_groups(network, optim.weight_decay), optim.beta2)
