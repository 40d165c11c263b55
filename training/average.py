"""An exponential moving average of a network's weights: what a noisy end of training leaves behind, evened out."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]

_WARM_UP = 10  # steps; early weights are forgotten sooner


def rising_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy that follows a network by `update_parameters`.

    Running statistics of batch norm are averaged like weights, counts are taken as they are. The first step is taken as
    it is; after step t, counted from 0, average <- d * average + (1 - d) * weights with
    d = min(decay, (1 + t) / (10 + t)).

    Source: Polyak and Juditsky 1992; the rising decay is that of TensorFlow's ExponentialMovingAverage.

    Args:
        network: followed, not changed; on the device that trains it.
        decay: d at the end, in (0, 1).
    """
    if not 0 < decay < 1:
        raise ValueError(f"a decay of {decay} averages nothing")

    def averaged(averages: Tensors, currents: Tensors, step: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            for average, current in zip(averages, currents, strict=True):
                average.copy_(current)
            return
        count = torch.as_tensor(step, dtype=torch.float32)  # stays on its device: reading it would make the host wait
        keep = ((1 + count) / (_WARM_UP + count)).clamp(max=decay)
        torch._foreach_mul_(averages, keep)  # all tensors at once; no public name
        torch._foreach_add_(averages, torch._foreach_mul(currents, 1 - keep))  # noqa: SLF001

    return AveragedModel(network, multi_avg_fn=averaged, use_buffers=True)
