"""The one training loop: order, learning rate, log, checkpoints. What a step does is the caller's."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer
from tqdm import tqdm

from training.optim import set_learning_rate
from training.recipes.types import FinetuneRecipe, PretrainRecipe
from training.run import Run
from training.schedule import CosineSchedule

Step = Callable[[NDArray[np.int64], torch.Generator], float]


def train(
    network: nn.Module,
    optimizer: Optimizer,
    step: Step,
    *,
    recipe: PretrainRecipe | FinetuneRecipe,
    num_images: int,
    run: Run,
) -> bool:
    """Repeat a step until the recipe is done, going on from the run's checkpoint if there is one.

    A checkpoint holds the weights, the optimizer's moments, the state of both generators (ours for order, crops and
    masks, torch's own for DropPath) and the step: what comes after it is what would have come without the break.

    Args:
        network: on its device, in train mode.
        optimizer: of its parameters; groups may have an `lr_scale`.
        step: does one update on these rows, drawing from this generator alone; gives the loss.
        recipe: optimisation, seed and name.
        num_images: rows to draw from.
        run: folder for checkpoints and the log.

    Returns:
        False if the run was told to stop before its end.

    Raises:
        FloatingPointError: the loss is not finite; the step and its rows are named.
        ValueError: not one full batch of images.
    """
    optim, done = recipe.optim, 0
    generator = torch.Generator().manual_seed(recipe.seed)
    if (state := run.load()) is not None:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_generator"])
        done = state["step"]
    steps_per_epoch = num_images // optim.batch
    if not steps_per_epoch:
        raise ValueError(f"{num_images} images do not fill one batch of {optim.batch}")
    num_steps = steps_per_epoch * optim.epochs
    schedule = CosineSchedule(optim.peak_lr, optim.min_lr, optim.warmup_epochs, optim.epochs)
    bar = tqdm(total=num_steps, initial=done, desc=recipe.name, unit="step", smoothing=0.02)
    for rows in batches(num_images, optim.batch, recipe.seed, done, num_steps):
        set_learning_rate(optimizer, rate := schedule(done / steps_per_epoch))
        loss = step(rows, generator)
        if not math.isfinite(loss):
            raise FloatingPointError(f"loss {loss} at step {done}, images {rows.tolist()}")
        done += 1
        run.log(step=done, epoch=done / steps_per_epoch, loss=loss, lr=rate)
        bar.update()
        bar.set_postfix(loss=f"{loss:.4f}")
        if run.is_save_due or done == num_steps:
            run.save(
                {
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "generator": generator.get_state(),
                    "torch_generator": torch.get_rng_state(),
                    "step": done,
                }
            )
        if run.stopping:
            break
    bar.close()
    return done == num_steps


def batches(num_images: int, batch: int, seed: int, first_step: int, num_steps: int) -> Iterator[NDArray[np.int64]]:
    """Rows of every step still to do: a new order each epoch, the incomplete last batch dropped."""
    steps_per_epoch = num_images // batch
    for epoch in range(first_step // steps_per_epoch, num_steps // steps_per_epoch):
        order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(num_images)
        begin = first_step - epoch * steps_per_epoch if epoch == first_step // steps_per_epoch else 0
        for step in range(begin, steps_per_epoch):
            yield np.sort(order[step * batch : (step + 1) * batch])
