"""Momentum contrast: the paper's contrastive baseline, which tells each radiograph from all others."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.densenet import DenseNetClassifier, DenseNetShape
from models.nets.resnet import ResNetClassifier, ResNetShape
from models.nets.slim_resnet import SlimClassifier, SlimConfig, SlimResNet, SlimShape


@dataclass(frozen=True, slots=True)
class MocoConfig:
    """Architecture and constants of momentum contrast; the defaults are MoCo v2's.

    Attributes:
        encoder: the network that is pre-trained.
        dim: channels of an embedding.
        queue: keys of earlier batches that serve as negatives.
        momentum: share of itself that the key encoder keeps in a step.
        temperature: what similarities are divided by.
        splits: parts of a process's keys that each have a batch norm of their own, in place of the other processes
            that MoCo mixes keys with; 1 for no parts.
    """

    encoder: DenseNetShape | ResNetShape | SlimShape
    dim: int = 128
    queue: int = 65_536
    momentum: float = 0.999
    temperature: float = 0.2
    splits: int = 1

    def __post_init__(self) -> None:
        if min(self.dim, self.queue, self.splits) < 1 or not 0 <= self.momentum <= 1 or self.temperature <= 0:
            raise ValueError(f"no momentum contrast is {self}")


Gather = Callable[[Tensor], Tensor]


def alone(part: Tensor) -> Tensor:
    """What `gather` is in a single process."""
    return part


class MomentumContrast(nn.Module):
    """MoCo v2: a query encoder that learns, a key encoder that follows it, and a queue of the keys of earlier batches.

    The state dict is all that a run needs to go on: both encoders, `queue` (dim, K), a column a key, and `queue_ptr`
    (1,), where the next key goes. Its names are facebookresearch/moco's; there each has `module.` before it.

    Source: He et al. 2020, arXiv:1911.05722; projection head and temperature of Chen et al. 2020, arXiv:2003.04297.
    """

    queue: Tensor
    queue_ptr: Tensor

    def __init__(self, config: MocoConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder_q = _encoder(config)
        self.encoder_k = copy.deepcopy(self.encoder_q).requires_grad_(requires_grad=False)
        self.register_buffer("queue", functional.normalize(torch.randn(config.dim, config.queue), dim=0))
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) normalised to query embeddings (B, dim) of length 1."""
        return self._embed(self.encoder_q, images)

    def training_loss(
        self,
        queries_view: Tensor,
        keys_view: Tensor,
        permutation: Tensor,
        gather: Gather = alone,
        rank: int = 0,
    ) -> Tensor:
        """InfoNCE of one step; moves the key encoder and the queue, as the reference does, before it returns.

        Batch norm tells a key encoder which images came together. So that this is no answer, keys are computed in
        another order than queries, and where several processes share a batch, or keys are split, in other company. In
        a single process without splits batch norm sees the same images whatever their order: the permutation then
        changes no more than rounding.

        Args:
            queries_view: (B, 3, S, S) normalised, one view of each image.
            keys_view: (B, 3, S, S), another view of the same images.
            permutation: (G,) int64, the order in which keys are computed, the same in every process; G = B times the
                number of processes.
            gather: (B, ...) of this process to (G, ...) of all, in the order of their ranks; without gradient.
            rank: this process among them.

        Returns:
            Scalar float32: mean cross-entropy of telling each image's own key from the queue's.

        Raises:
            ValueError: the permutation is not of G images, or G is more than the queue holds.
        """
        with torch.no_grad():
            everyone_s = gather(keys_view)
        self._check(len(everyone_s), len(permutation))
        mine = slice(rank * len(keys_view), (rank + 1) * len(keys_view))
        queries = self(queries_view)
        with torch.no_grad():
            self._follow()
            parts = everyone_s[permutation[mine]].chunk(self.config.splits)
            shuffled = gather(torch.cat([self._embed(self.encoder_k, part) for part in parts]))
            keys = shuffled[permutation.argsort()]
            negatives = self.queue.clone()  # autograd needs them in the backward pass, when the queue has moved on
            self._enqueue(keys)
        return self._info_nce(queries, keys[mine], negatives)

    def _info_nce(self, queries: Tensor, keys: Tensor, negatives: Tensor) -> Tensor:
        with torch.autocast(queries.device.type, enabled=False):  # bfloat16 tells similarities apart by 0.004 at best
            own = (queries * keys).sum(dim=1, keepdim=True)
            logits = torch.cat([own, queries @ negatives], dim=1) / self.config.temperature
            return functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64, device=logits.device))

    def _embed(self, encoder: nn.Module, images: Tensor) -> Tensor:
        return functional.normalize(encoder(images).float(), dim=1)

    def _follow(self) -> None:
        """Move the key encoder's parameters by an exponential average; its running statistics are its own."""
        momentum = self.config.momentum
        for query, key in zip(self.encoder_q.parameters(), self.encoder_k.parameters(), strict=True):
            key.mul_(momentum).add_(query * (1 - momentum))

    def _enqueue(self, keys: Tensor) -> None:
        """Replace the oldest keys, going round where the queue ends."""
        places = (self.queue_ptr + torch.arange(len(keys), device=keys.device)) % self.config.queue
        self.queue.index_copy_(1, places, keys.t())
        self.queue_ptr.add_(len(keys)).remainder_(self.config.queue)

    def _check(self, num_images: int, num_permuted: int) -> None:
        """Before anything moves."""
        if num_permuted != num_images:
            raise ValueError(f"a permutation of {num_permuted} for a batch of {num_images} images")
        if num_images > self.config.queue:
            raise ValueError(f"a batch of {num_images} images is more than a queue of {self.config.queue} keys holds")


def _encoder(config: MocoConfig) -> DenseNetClassifier | ResNetClassifier | SlimClassifier:
    """A classifier whose head became an MLP of the encoder's width with `dim` outputs."""
    if isinstance(config.encoder, SlimShape):
        slim = SlimClassifier(SlimConfig(config.encoder, config.dim))
        member = cast("SlimResNet", slim.members[0])
        member.fc = _with_hidden_layer(member.fc)  # type: ignore[assignment]
        return slim
    if isinstance(config.encoder, DenseNetShape):
        densenet = DenseNetClassifier(config.dim, config.encoder)
        densenet.classifier = _with_hidden_layer(densenet.classifier)
        return densenet
    resnet = ResNetClassifier(config.dim, config.encoder)
    resnet.fc = _with_hidden_layer(resnet.fc)
    return resnet


def _with_hidden_layer(last: nn.Linear) -> nn.Sequential:
    return nn.Sequential(nn.Linear(last.in_features, last.in_features), nn.ReLU(), last)
