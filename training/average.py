"""An exponential moving average of a network's weights: what a noisy end of training leaves behind, evened out."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_WARM_UP = 10  # steps; early weights are forgotten sooner


def rising_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy that follows a network by `update_parameters`; running statistics of batch norm are averaged like weights.

    The first step is taken as it is; after step t, counted from 0, average <- d * average + (1 - d) * weights with
    d = min(decay, (1 + t) / (10 + t)).

    Source: Polyak and Juditsky 1992; the rising decay is that of TensorFlow's ExponentialMovingAverage.

    Args:
        network: followed, not changed; on the device that trains it.
        decay: d at the end, in (0, 1).
    """
    if not 0 < decay < 1:
        raise ValueError(f"a decay of {decay} averages nothing")

    def averaged(average: Tensor, current: Tensor, step: Tensor | int) -> Tensor:
        keep = min(decay, (1 + float(step)) / (_WARM_UP + float(step)))
        return keep * average + (1 - keep) * current

    return AveragedModel(network, avg_fn=averaged, use_buffers=True)
