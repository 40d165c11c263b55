"""What is minimised: modules that take a host batch, now on the device, and give one loss.

Each wraps the network it trains, so that distribution, mixed precision and compilation reach all of a step.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.cnn_mae import InpaintingAutoencoder
from models.nets.mae import MaskedAutoencoder
from models.nets.moco import Gather, MomentumContrast
from training.data.crops import crop, normalise_by
from training.data.steps import Batch
from training.data.views import blur, jitter

Painter = MaskedAutoencoder | InpaintingAutoencoder


class Pixels(nn.Module):
    """From a host batch to normalised crops on the device.

    Args:
        side_px: rows and columns of a crop.
        statistics: (D, 2, 3) of each data set.
        part_of: (N,) the data set of each row.
        resident: (N, P, P) uint8, all images on the device; None where batches bring their own.
    """

    def __init__(self, side_px: int, statistics: Tensor, part_of: Tensor, resident: Tensor | None = None) -> None:
        super().__init__()
        self.side_px = side_px
        self.register_buffer("statistics", statistics, persistent=False)
        self.register_buffer("part_of", part_of, persistent=False)
        self._resident = resident  # no buffer: tens of GiB are not to be broadcast between processes

    def forward(self, batch: Batch, view: int = 0) -> Tensor:
        """(B, 3, S, S) float."""
        return self.normalise(self.crop(batch, view), batch["rows"])

    def crop(self, batch: Batch, view: int = 0) -> Tensor:
        """(B, S, S) uint8: what the host has cut already, or the given view of the images."""
        if "crops" in batch:
            return batch["crops"]
        images = batch["images"] if self._resident is None else self._resident[batch["rows"]]
        return crop(images, batch["theta"][:, view], self.side_px)

    def normalise(self, crops: Tensor, rows: Tensor) -> Tensor:
        """uint8 (B, S, S) to float (B, 3, S, S), by the statistics of each row's data set."""
        statistics: Tensor = self.get_buffer("statistics")[self.get_buffer("part_of")[rows]]
        return normalise_by(crops, statistics)


class MaskedObjective(nn.Module):
    """Paint what is hidden: for the masked autoencoder and for the in-painting U-Net."""

    def __init__(self, network: Painter, pixels: Pixels, mask_ratio: float, *, compiled: bool) -> None:
        super().__init__()
        self.network, self.pixels, self.mask_ratio = network, pixels, mask_ratio
        self._loss: Callable[..., Tensor] = torch.compile(network.training_loss) if compiled else network.training_loss

    def forward(self, batch: Batch) -> Tensor:
        """Mean loss of the batch, at the share of hidden patches that it names, if it does."""
        with torch.no_grad():
            images = self.pixels(batch)
        ratio = float(batch["mask_ratio"][0]) if "mask_ratio" in batch else self.mask_ratio
        return self._loss(images, batch["noise"], ratio)


class LabelObjective(nn.Module):
    """Say what is there: sigmoids over findings, or one softmax where they exclude each other."""

    def __init__(self, network: nn.Module, pixels: Pixels, *, is_exclusive: bool, compiled: bool) -> None:
        super().__init__()
        self.network, self.pixels = network, pixels
        self._loss = exclusive_cross_entropy if is_exclusive else masked_bce
        self._logits: Callable[..., Tensor] = torch.compile(network) if compiled else network

    def forward(self, batch: Batch) -> Tensor:
        """Loss over the known labels of the batch, from float32 logits."""
        with torch.no_grad():
            images = self.pixels(batch)
        return self._loss(self._logits(images).float(), batch["labels"])


class ContrastObjective(nn.Module):
    """Tell each image's other view from all images seen lately."""

    def __init__(self, network: MomentumContrast, pixels: Pixels, *, gather: Gather, rank: int) -> None:
        super().__init__()
        self.network, self.pixels, self._gather, self._rank = network, pixels, gather, rank

    def forward(self, batch: Batch) -> Tensor:
        """Mean loss of the batch; the key encoder and the queue move on."""
        with torch.no_grad():
            queries, keys = (self._view(batch, view) for view in (0, 1))
        permutation = self._gather(batch["order"]).argsort()
        return self.network.training_loss(queries, keys, permutation, self._gather, self._rank)

    def _view(self, batch: Batch, view: int) -> Tensor:
        crops = jitter(self.pixels.crop(batch, view), batch["contrast"][:, view])
        return self.pixels.normalise(blur(crops, batch["sigma"][:, view]), batch["rows"])


def masked_bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy, averaged over the known labels; 0 where none is known.

    Args:
        logits: (B, F).
        labels: (B, F), NaN where unknown; such entries give neither loss nor gradient.
    """
    known = ~labels.isnan()
    losses = functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(0), reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)


def exclusive_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy of rows that have exactly one finding, in the rows of `labels` (B, F)."""
    return functional.cross_entropy(logits, labels.argmax(dim=1))
