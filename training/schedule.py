"""Learning rate over a run: linear warm-up, then half a cosine."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CosineSchedule:
    """Learning rate at a fractional epoch.

    Attributes:
        peak: learning rate after the warm-up.
        minimum: learning rate at the end.
        warmup_epochs: epochs of linear rise from exactly 0.
        epochs: length of the run.

    Source: facebookresearch/mae, lr_sched.py, stepped every iteration.
    """

    peak: float
    minimum: float
    warmup_epochs: float
    epochs: float

    def __call__(self, epoch: float) -> float:
        """Learning rate at `epoch` (step / steps an epoch)."""
        if epoch < self.warmup_epochs:
            return self.peak * epoch / self.warmup_epochs
        progress = (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        return self.minimum + (self.peak - self.minimum) * 0.5 * (1 + math.cos(math.pi * progress))
