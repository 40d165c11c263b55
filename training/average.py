"""An exponential moving average of a network's weights: what a noisy end of training leaves behind, evened out."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

_WARM_UP = 10  # steps; early weights are forgotten sooner


class WeightAverage:
    """Follows a network step by step; running statistics of batch norm are averaged like weights.

    After step t, average <- d * average + (1 - d) * weights with d = min(decay, (1 + t) / (10 + t)).

    Source: Polyak and Juditsky 1992; the rising decay is that of TensorFlow's ExponentialMovingAverage.

    Args:
        network: followed, not changed.
        decay: d at the end, in (0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"a decay of {decay} averages nothing")
        self._network, self._decay = network, decay
        self._average = copy.deepcopy(network.state_dict())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        keep = min(self._decay, (1 + step) / (_WARM_UP + step))
        for name, value in self._network.state_dict().items():
            own = self._average[name]
            if own.is_floating_point():
                own.lerp_(value.to(own.device), 1 - keep)
            else:
                own.copy_(value)

    def apply(self) -> None:
        """Put the average into the network."""
        self._network.load_state_dict(self._average)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return dict(self._average)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From the checkpoint."""
        for name, value in state.items():
            self._average[name].copy_(value)
