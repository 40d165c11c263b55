"""Self-supervised pre-training: masked autoencoders, in-painting, momentum contrast."""

from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from models.errors import CheckpointError
from models.nets.checkpoint import load
from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.mae import MaskedAutoencoder, mae
from models.nets.moco import MocoConfig, MomentumContrast
from training.data.crops import statistics_table
from training.data.packed import PackedImages
from training.data.steps import CropDraw, PixelLoad, Plan, Steps
from training.data.views import ViewDraw
from training.engine import Engine
from training.loop import Trainee, train
from training.objectives import ContrastObjective, MaskedObjective, Pixels
from training.optim import adamw, pretraining_groups
from training.recipes.types import InpaintRecipe, MocoRecipe, PretrainRecipe, UnlabelledRecipe
from training.resident import to_device
from training.run import Run
from training.trunks import CNN_SHAPES, SLIM_SHAPES

Pretrained = MaskedAutoencoder | InpaintingAutoencoder | MomentumContrast


def pretrain(
    recipe: UnlabelledRecipe,
    images: PackedImages,
    run: Run,
    engine: Engine,
    fabric: Fabric,
    start: Path | None = None,
) -> Pretrained | None:
    """Train on packed images without labels.

    Args:
        recipe: network, masks or views, optimisation; its data sets are the parts of `images`.
        images: all rows to learn from.
        run: folder for checkpoints and the log; a checkpoint in it is continued.
        engine: how steps are executed.
        fabric: launched.
        start: what an earlier run has learned, to go on from with a schedule and moments of its own; None for random
            weights.

    Returns:
        The trained network in eval mode, or None if the run was told to stop before its end.

    Raises:
        CheckpointError: the start cannot be read, or holds another network than the recipe's.
        FloatingPointError: the loss is not finite.
        ValueError: momentum contrast in micro-batches.
    """
    at_once = (engine.micro_batch or recipe.optim.batch) * fabric.world_size
    if isinstance(recipe, MocoRecipe) and at_once < recipe.optim.batch:
        raise ValueError("momentum contrast moves its keys' encoder once a forward pass: it takes no --micro-batch")
    torch.manual_seed(recipe.seed)
    resident = to_device(images, fabric.device) if engine.holds(images.num_bytes) else None
    pixels = Pixels(
        recipe.image_size_px,
        statistics_table(recipe.data, recipe.normalisation),
        torch.from_numpy(images.part_of),
        resident,
    )
    network, objective, draw = _parts(recipe, pixels, compiled=engine.is_compiled, fabric=fabric)
    if start is not None:
        _go_on_from(start, network, recipe.name)
    plan = Plan(len(images), recipe.optim.batch, recipe.seed, fabric.global_rank, fabric.world_size)
    steps = Steps(plan, draw, dict if resident is not None else PixelLoad(images))
    optimizer = adamw(pretraining_groups(network, recipe.optim.weight_decay), recipe.optim.beta2)
    done = train(Trainee(network.train(), objective, optimizer, steps), recipe, run, engine, fabric)
    return network.eval() if done else None


def _parts(
    recipe: UnlabelledRecipe, pixels: Pixels, *, compiled: bool, fabric: Fabric
) -> tuple[Pretrained, nn.Module, CropDraw | ViewDraw]:
    """Network, objective and draws of a recipe."""
    match recipe:
        case PretrainRecipe():
            network = mae(
                recipe.encoder, recipe.decoder, image_size_px=recipe.image_size_px, norm_pix_loss=recipe.norm_pix_loss
            )
            objective = MaskedObjective(network, pixels, recipe.mask_ratio, compiled=compiled)
            draw = CropDraw(recipe.crop_scale, network.num_patches, mask_ratios=recipe.mask_ratios)
            return network, objective, draw
        case InpaintRecipe():
            painter = InpaintingAutoencoder(InpaintingConfig(recipe.image_size_px, loss_on=recipe.loss_on))
            objective = MaskedObjective(painter, pixels, recipe.mask_ratio, compiled=compiled)
            return painter, objective, CropDraw(recipe.crop_scale, painter.num_patches)
        case MocoRecipe():
            config = MocoConfig(
                {**CNN_SHAPES, **SLIM_SHAPES}[recipe.encoder],
                queue=recipe.queue,
                momentum=recipe.momentum,
                temperature=recipe.temperature,
                splits=recipe.splits,
            )
            contrast = MomentumContrast(config)
            gather = partial(_gather, fabric)
            return (
                contrast,
                ContrastObjective(contrast, pixels, gather=gather, rank=fabric.global_rank),
                ViewDraw(recipe.crop_scale),
            )
        case _:
            raise ValueError(f"{recipe.name}: {type(recipe).__name__} pre-trains nothing")


def _go_on_from(start: Path, network: Pretrained, recipe: str) -> None:
    earlier = load(start)
    if type(earlier) is not type(network) or earlier.config != network.config:
        raise CheckpointError(f"{start.name} holds another network than {recipe} trains")
    network.load_state_dict(earlier.state_dict())


def _gather(fabric: Fabric, part: Tensor) -> Tensor:
    """(B, ...) of this process to (G, ...) of all, without gradient."""
    if fabric.world_size == 1:
        return part
    everyone_s = fabric.all_gather(part)
    return everyone_s.flatten(0, 1)  # type: ignore[union-attr]  # a tensor, for a tensor
