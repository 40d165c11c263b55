"""A head that answers by likeness to the pictures it was solved on: a Gaussian kernel over frozen features."""

import torch
from torch import Tensor, nn


class KernelHead(nn.Module):
    """Logits b + W k(x), where k_i(x) = exp(-|(x - c) M - s_i|^2) is the likeness of features x (K) to support i.

    The metric M says which differences count; it has the kernel's width in it. Everything is solved, not trained
    (`training.kernel_solution`), so all of it are buffers, and nothing of it is random.

    Attributes:
        centre, metric, supports: c (K,), M (K, K) and s (N, K).
        weight, bias: W (F, N) and b (F,).
    """

    centre: Tensor
    metric: Tensor
    supports: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, num_features: int, num_supports: int, num_findings: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(num_features))
        self.register_buffer("metric", torch.eye(num_features))
        self.register_buffer("supports", torch.zeros(num_supports, num_features))
        self.register_buffer("weight", torch.zeros(num_findings, num_supports))
        self.register_buffer("bias", torch.zeros(num_findings))

    def forward(self, features: Tensor) -> Tensor:
        """(B, K) to logits (B, F)."""
        return self._likeness(self._placed(features)) @ self.weight.t() + self.bias

    def slope(self, features: Tensor) -> Tensor:
        """Gradient of every logit at the features, (B, F, K): what a linear head would have as weights there.

        With z = (x - c) M it is -2 (sum_i w_i k_i (z - s_i)) M'.
        """
        placed = self._placed(features)
        pulls = self._likeness(placed).unsqueeze(1) * self.weight  # (B, F, N)
        towards = pulls @ self.supports - pulls.sum(dim=2, keepdim=True) * placed.unsqueeze(1)
        return 2 * towards @ self.metric.t()

    def _placed(self, features: Tensor) -> Tensor:
        return (features - self.centre) @ self.metric

    def _likeness(self, placed: Tensor) -> Tensor:
        """(B, K) to (B, N)."""
        lengths = placed.square().sum(dim=1, keepdim=True) + self.supports.square().sum(dim=1)
        return torch.exp(-(lengths - 2 * placed @ self.supports.t()).clamp(min=0))
