"""Model selection: the network that scored best on the validation split; the test split is never looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import nn

from training.data.crops import normalise_by
from training.metrics import auroc
from training.run import read_state

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Held:
    """Images to choose by.

    Attributes:
        images: (N, S, S) uint8 as the network sees them, nothing cropped at random.
        labels: (N, F), NaN unknown.
        statistics: (N, 2, 3) of each image's data set.
        is_exclusive: the number is accuracy, not the mean AUROC.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.float32]
    statistics: NDArray[np.float32]
    is_exclusive: bool = False


class Selection:
    """Scores the network every few epochs and keeps the best weights in a file beside the checkpoint.

    Every process scores its part and all see the whole: a number over one process's part is no AUROC.

    Args:
        network: as it is trained.
        held: images to choose by.
        epochs: when to score, `range(every, last + 1, every)`.
        path: of the best weights.
        fabric: launched.

    Attributes:
        best: the highest number so far, None before the first.
        best_epoch: when it was reached.
    """

    def __init__(self, network: nn.Module, held: Held, epochs: range, path: Path, fabric: Fabric) -> None:
        self._network, self._held, self._epochs, self._path, self._fabric = network, held, epochs, path, fabric
        self.best: float | None = None
        self.best_epoch = 0

    def look(self, epoch: int) -> Mapping[str, float]:
        """Score after an epoch that is due; the last one always is."""
        if epoch not in self._epochs and epoch != self._epochs.stop - 1:
            return {}
        number = selection_number(self._held, self._scores())
        if self.best is None or number > self.best:
            self.best, self.best_epoch = number, epoch
            if self._fabric.is_global_zero:
                partial = self._path.with_suffix(".partial")
                torch.save(self._network.state_dict(), partial)
                partial.rename(self._path)
        self._fabric.barrier()
        return {"val": number}

    def restore_best(self) -> None:
        """Put the best weights back into the network.

        Raises:
            CheckpointError: their file is damaged.
        """
        self._network.load_state_dict(read_state(self._path))

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]

    def _scores(self) -> NDArray[np.float32]:
        rank, world = self._fabric.global_rank, self._fabric.world_size
        mine = np.arange(rank, len(self._held.images), world)
        logits = logits_of(self._network, self._held.images[mine], self._held.statistics[mine], self._fabric.device)
        if world == 1:
            return logits
        longest = -(-len(self._held.images) // world)
        padded = torch.full((longest, logits.shape[1]), torch.nan)
        padded[: len(mine)] = torch.from_numpy(logits)
        gathered = self._fabric.all_gather(padded).cpu().numpy()  # type: ignore[union-attr]  # (world, longest, F)
        whole = np.empty((len(self._held.images), logits.shape[1]), np.float32)
        for other in range(world):
            places = np.arange(other, len(whole), world)
            whole[places] = gathered[other, : len(places)]
        return whole


def selection_number(held: Held, logits: NDArray[np.float32]) -> float:
    """Accuracy, or the mean AUROC over the findings that have both kinds.

    Raises:
        ValueError: no finding has both kinds: these images cannot choose anything.
    """
    if held.is_exclusive:
        return float((logits.argmax(axis=1) == held.labels.argmax(axis=1)).mean())
    values = []
    for labels, scores in zip(held.labels.T, logits.T, strict=True):
        known = ~np.isnan(labels)
        if (value := auroc(labels[known] == 1, scores[known])) is not None:
            values.append(value)
    if not values:
        raise ValueError("the validation split has no finding with both positives and negatives")
    return float(np.mean(values))


@torch.inference_mode()
def logits_of(
    network: nn.Module, images: NDArray[np.uint8], statistics: NDArray[np.float32], device: torch.device
) -> NDArray[np.float32]:
    """Float32 logits of a network in eval mode; its own mode is put back."""
    was_training = network.training
    network.eval()
    parts: list[Any] = []
    for begin in range(0, len(images), _BATCH):
        pixels = torch.from_numpy(np.array(images[begin : begin + _BATCH])).to(device)
        mean_std = torch.from_numpy(statistics[begin : begin + _BATCH]).to(device)
        parts.append(network(normalise_by(pixels, mean_std)).float().cpu())
    network.train(was_training)
    return torch.cat(parts).numpy() if parts else np.empty((0, 0), np.float32)
