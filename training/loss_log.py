"""Losses of steps, read back from the device when that costs little, and written with the speed of the run."""

import math
import time

import torch
from lightning_fabric import Fabric
from torch import Tensor

from training.data.steps import Plan
from training.run import Run

_CUDA_STEPS = 20  # reading each loss would make the device wait for the host


class LossLog:
    """What a run says of its steps.

    Attributes:
        waited_s: time spent waiting for batches since the last flush; the loop adds to it.
    """

    def __init__(self, run: Run, fabric: Fabric, plan: Plan) -> None:
        self._run, self._fabric, self._plan = run, fabric, plan
        self._pending: list[tuple[int, float, Tensor]] = []
        self._began, self.waited_s = time.perf_counter(), 0.0

    def add(self, step: int, rate: float, loss: Tensor) -> None:
        """The loss of a step that is done, still on the device."""
        self._pending.append((step, rate, loss))

    @property
    def is_due(self) -> bool:
        """Whether reading the losses back costs little beside what they wait for."""
        return len(self._pending) >= (_CUDA_STEPS if self._fabric.device.type == "cuda" else 1)

    def flush(self) -> float:
        """Write what is pending; gives the last loss.

        Raises:
            FloatingPointError: one is not finite; the step and its images are named.
        """
        values = self._fabric.all_reduce(torch.stack([loss for _, _, loss in self._pending]), reduce_op="mean")
        elapsed_s, lines = time.perf_counter() - self._began, []
        for (step, rate, _), loss in zip(self._pending, values.tolist(), strict=True):  # type: ignore[union-attr]
            if not math.isfinite(loss):
                images = self._run.report_images(self._plan.rows(step).tolist())
                raise FloatingPointError(f"loss {loss} at step {step} on {images}")
            lines.append({"step": step + 1, "epoch": (step + 1) / self._plan.steps_per_epoch, "loss": loss, "lr": rate})
        lines[-1]["images_per_s"] = len(lines) * self._plan.batch / elapsed_s
        lines[-1]["data_wait"] = self.waited_s / elapsed_s
        self._run.log(lines)
        self._pending.clear()
        self._began, self.waited_s = time.perf_counter(), 0.0
        return float(lines[-1]["loss"])
