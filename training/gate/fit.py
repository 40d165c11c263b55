"""Fit the gate's network: a few small perceptrons on the features of varied pictures."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.imaging.gate_network import GateNetwork

_SCALE_FLOOR = np.float32(0.05)  # a feature that hardly varies is not blown up


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How the perceptrons are trained."""

    nets: int = 3
    width: int = 96
    epochs: int = 12
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    input_dropout: float = 0.2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Examples:
    """What is fitted on.

    Attributes:
        features: (N, D) float32.
        labels: (N,) float32, 1 for an upright chest, else 0.
        weights: (N,) float32.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]


class _Perceptrons(nn.Module):
    """All nets at once: they see the same batches, and differ by where they start."""

    def __init__(self, size: int, settings: FitSettings) -> None:
        super().__init__()
        self.shape = (settings.nets, settings.width)
        self.dropout = nn.Dropout(settings.input_dropout)
        self.hidden = nn.Linear(size, settings.nets * settings.width)
        self.out = nn.Parameter(torch.randn(self.shape) / settings.width**0.5)
        self.out_bias = nn.Parameter(torch.zeros(settings.nets))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, D) to (B, nets)."""
        hidden = self.hidden(self.dropout(inputs)).relu().unflatten(1, self.shape)
        logits: Tensor = (hidden * self.out).sum(dim=2) + self.out_bias
        return logits


def fit(examples: Examples, settings: FitSettings) -> GateNetwork:
    """Fit a network, thresholds still at 0; the same arguments give the same network on one machine."""
    torch.manual_seed(settings.seed)
    mean = examples.features.mean(axis=0)
    scale = np.maximum(examples.features.std(axis=0), _SCALE_FLOOR)
    inputs = torch.from_numpy((examples.features - mean) / scale)
    targets, weights = torch.from_numpy(examples.labels), torch.from_numpy(examples.weights / examples.weights.mean())
    nets = _Perceptrons(inputs.shape[1], settings)
    optimizer = torch.optim.AdamW(nets.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    steps = -(-len(inputs) // settings.batch) * settings.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps)
    for _ in range(settings.epochs):
        for rows in torch.randperm(len(inputs)).split(settings.batch):
            wanted = targets[rows, None].expand(-1, settings.nets)
            losses = nn.functional.binary_cross_entropy_with_logits(nets(inputs[rows]), wanted, reduction="none")
            optimizer.zero_grad()
            (losses.sum(dim=1) * weights[rows]).mean().backward()
            optimizer.step()
            schedule.step()
    return _network(nets, mean, scale)


def _network(nets: _Perceptrons, mean: NDArray[np.float32], scale: NDArray[np.float32]) -> GateNetwork:
    """As it will be read again: rounded to half precision."""
    num, width = nets.shape
    hidden = nets.hidden.weight.detach().numpy().reshape(num, width, -1).transpose(0, 2, 1)
    hidden_bias = nets.hidden.bias.detach().numpy().reshape(num, width)
    out, out_bias = nets.out.detach().numpy(), nets.out_bias.detach().numpy()
    return GateNetwork(_half(mean), _half(scale), _half(hidden), _half(hidden_bias), _half(out), _half(out_bias))


def _half(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)
