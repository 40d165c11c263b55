"""The one training loop: steps, learning rate, accumulation, log, checkpoints. What a step does is the caller's."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from training.data.draws import number_of
from training.data.steps import Batch, Steps
from training.engine import Engine
from training.loss_log import LossLog
from training.optim import set_learning_rate
from training.recipes.types import Recipe
from training.run import Run
from training.schedule import CosineSchedule

_DROP_PATH_STREAM = 1_000  # apart from the stream of crops and masks; one for each process


class Watcher(Protocol):
    """Looks at the network between epochs, as model selection does."""

    def look(self, epoch: int) -> Mapping[str, float]:
        """Called after each epoch, from 1; gives what goes into the log."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""


@dataclass(frozen=True, slots=True)
class Trainee:
    """All that a run changes or reads.

    Attributes:
        network: whose weights are saved.
        objective: batch to loss; contains `network`.
        optimizer: of its parameters; groups may have an `lr_scale`.
        steps: host batches.
        watcher: called between epochs.
        average: of the weights, updated each step; what becomes of it in the end is the caller's.
    """

    network: nn.Module
    objective: nn.Module
    optimizer: Optimizer
    steps: Steps
    watcher: Watcher | None = None
    average: AveragedModel | None = None


def train(trainee: Trainee, recipe: Recipe, run: Run, engine: Engine, fabric: Fabric) -> bool:
    """Repeat a step until the recipe is done, going on from the run's checkpoint if there is one.

    A checkpoint holds the weights, the optimizer's moments and the step; all randomness follows from the seed and the
    step, so what comes after it is what would have come without the break.

    Args:
        trainee: its network on the CPU or on the device, in the mode that it trains in.
        recipe: optimisation, seed and name.
        run: folder for checkpoints and the log.
        engine: how a step is executed.
        fabric: launched.

    Returns:
        False if the run was told to stop before its end.

    Raises:
        CheckpointError: the run's checkpoint is damaged.
        FloatingPointError: the loss is not finite; the step and its images are named.
        OSError: a checkpoint cannot be written; the one before is intact.
    """
    optim, plan, done = recipe.optim, trainee.steps.plan, 0
    objective, optimizer = fabric.setup(trainee.objective, trainee.optimizer)
    if (state := run.load()) is not None:
        done = _restore(trainee, state)
    num_steps = plan.steps_per_epoch * optim.epochs
    schedule = CosineSchedule(optim.peak_lr, optim.min_lr, optim.warmup_epochs, optim.epochs)
    is_cuda = fabric.device.type == "cuda"
    batches = iter(trainee.steps.loader(done, num_steps, workers=engine.workers, pin=is_cuda))
    log = LossLog(run, fabric, plan)
    bar = tqdm(
        total=num_steps, initial=done, desc=recipe.name, unit="step", smoothing=0.02, disable=not fabric.is_global_zero
    )
    while done < num_steps:
        set_learning_rate(optimizer, rate := schedule(done / plan.steps_per_epoch))
        asked = time.perf_counter()
        batch = next(batches)
        log.waited_s += time.perf_counter() - asked
        torch.manual_seed(number_of(recipe.seed, done, _DROP_PATH_STREAM + fabric.global_rank))
        with engine.attention():
            loss = _step(fabric, objective, optimizer, batch, engine.micro_batch)
        log.add(done, rate, loss)
        if trainee.average is not None:
            trainee.average.update_parameters(trainee.network)
        done += 1
        bar.update()
        is_epoch_over = done % plan.steps_per_epoch == 0
        if not log.is_due and not is_epoch_over:
            continue
        bar.set_postfix(loss=f"{log.flush():.4f}")
        if is_epoch_over and trainee.watcher is not None:
            run.log([{"step": done, **trainee.watcher.look(done // plan.steps_per_epoch)}])
        is_saving, is_stopping = raised_by_any(fabric, run.is_save_due, run.stopping)
        if is_saving or done == num_steps:
            run.save(_state(trainee, done))
        if is_stopping:
            break
    bar.close()
    run.close()
    return done == num_steps


def _step(fabric: Fabric, objective: nn.Module, optimizer: Optimizer, batch: Batch, micro_batch: int | None) -> Tensor:
    """One update; gives this process's part of the loss, whose mean over processes is that of the whole step."""
    total = torch.zeros((), device=fabric.device)
    parts = list(micro_batches(batch, micro_batch, fabric.world_size))
    optimizer.zero_grad(set_to_none=True)
    for place, (part, share) in enumerate(parts):
        on_device = {name: values.to(fabric.device, non_blocking=True) for name, values in part.items()}
        with fabric.no_backward_sync(objective, enabled=place < len(parts) - 1):  # type: ignore[arg-type]
            loss = objective(on_device) * share
            fabric.backward(loss)
        total += loss.detach()
    optimizer.step()
    return total


def micro_batches(batch: Batch, size: int | None, world: int) -> Iterator[tuple[Batch, float]]:
    """Cut a process's batch, and say how much each part counts.

    A loss is a mean over its part. Weighted by these shares, summed over parts and averaged over processes, it is the
    mean over the whole step, also where rows count differently because some of their labels are unknown.

    Args:
        batch: tensors with one entry a row; perhaps `weight`, with `total_weight` over all processes.
        size: rows a part, at most; None leaves the batch whole.
        world: number of processes.
    """
    batch = dict(batch)
    total_weight = batch.pop("total_weight", None)
    num_rows = len(batch["rows"])
    num_parts = math.ceil(num_rows / (size or num_rows))
    for place in range(num_parts):  # dealt out in turn, so that each part has its share of every data set
        part = {name: values[place::num_parts] for name, values in batch.items()}
        if total_weight is None:
            yield part, len(part["rows"]) / num_rows
        else:
            yield part, float(part["weight"].sum()) * world / max(float(total_weight), 1.0)


def raised_by_any(fabric: Fabric, *flags: bool) -> list[bool]:
    """For each flag, whether one process raises it: all have to save and leave in the same step."""
    if fabric.world_size == 1:
        return list(flags)
    raised = torch.tensor(flags, dtype=torch.float32, device=fabric.device)
    return [bool(count) for count in fabric.all_reduce(raised, reduce_op="sum")]


def _state(trainee: Trainee, done: int) -> dict[str, Any]:
    state = {"network": trainee.network.state_dict(), "optimizer": trainee.optimizer.state_dict(), "step": done}
    if trainee.watcher is not None:
        state["watcher"] = trainee.watcher.state_dict()
    if trainee.average is not None:
        state["average"] = trainee.average.state_dict()
    return state


def _restore(trainee: Trainee, state: Mapping[str, Any]) -> int:
    trainee.network.load_state_dict(state["network"])
    trainee.optimizer.load_state_dict(state["optimizer"])
    if trainee.watcher is not None:
        trainee.watcher.load_state_dict(state["watcher"])
    if trainee.average is not None:
        trainee.average.load_state_dict(state["average"])
    return int(state["step"])
