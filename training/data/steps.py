"""What the host prepares for each step, as a torch data set whose items are steps.

An item follows from the seed and the step alone (`training.data.draws`), so worker processes may prepare steps in any
number and order, and every process of a distributed run may prepare its own part.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from training.data.augment import RandAugment, draw_seeds
from training.data.crops import crop_on_host, draw_crops
from training.data.draws import generator_of, rows_of
from training.data.packed import PackedImages

Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which images meet in which step, and which of them are this process's.

    Attributes:
        num_images: rows to draw from.
        batch: images a step, over all processes.
        seed: of the run.
        rank: this process, from 0.
        world: number of processes; they share a batch evenly.
    """

    num_images: int
    batch: int
    seed: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.num_images < self.batch:
            raise ValueError(f"{self.num_images} images do not fill one batch of {self.batch}")
        if self.batch % self.world:
            raise ValueError(f"a batch of {self.batch} cannot be shared by {self.world} processes")

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass."""
        return self.num_images // self.batch

    def rows(self, step: int) -> NDArray[np.int64]:
        """All images of a step, over all processes."""
        return rows_of(step, num_images=self.num_images, batch=self.batch, seed=self.seed)

    @property
    def mine(self) -> slice:
        """This process's part of a step's images, dealt out in turn.

        Rows are in ascending order, data set by data set: cut into blocks, a process would see one data set alone, and
        so would its batch norm.
        """
        return slice(self.rank, None, self.world)


class Steps(TorchDataset[Batch]):
    """Host batches by step.

    Args:
        plan: who meets when.
        draw: rows of all processes and a generator to tensors with one entry a row; cheap.
        load: this process's part of these to what the device needs: pixels, augmented crops; costly.
    """

    def __init__(
        self,
        plan: Plan,
        draw: Callable[[NDArray[np.int64], torch.Generator], Batch],
        load: Callable[[Batch], Batch] = dict,
    ) -> None:
        self.plan = plan
        self._draw = draw
        self._load = load

    def __getitem__(self, step: int) -> Batch:
        rows = self.plan.rows(step)
        drawn = {"rows": torch.from_numpy(rows), **self._draw(rows, generator_of(self.plan.seed, step))}
        batch = self._load({name: values[self.plan.mine] for name, values in drawn.items()})
        if "weight" in drawn:
            batch["total_weight"] = drawn["weight"].sum()
        return batch

    def loader(self, first: int, last: int, *, workers: int, pin: bool) -> DataLoader[Batch]:
        """Steps `first` to `last`, in order, prepared ahead by worker processes (0: in this one, when they are due)."""
        return DataLoader(
            self,
            batch_size=None,
            sampler=range(first, last),
            num_workers=workers,
            pin_memory=pin,
            prefetch_factor=4 if workers else None,
            persistent_workers=False,
        )


@dataclass(frozen=True, slots=True)
class CropDraw:
    """Draws of self-supervised training: where to crop, which patches to hide.

    Attributes:
        scale: as `training.data.crops.draw_crops`.
        num_patches: noise values an image; 0 for none.
        views: crops an image.
        mask_ratios: shares of hidden patches, of which every step draws one for all its images; none for no draw.
    """

    scale: tuple[float, float] | None
    num_patches: int = 0
    views: int = 1
    mask_ratios: tuple[float, ...] = ()

    def __call__(self, rows: NDArray[np.int64], generator: torch.Generator) -> Batch:
        """`theta` (B, views, 2, 3), `noise` (B, num_patches), `mask_ratio` (B,) with one value."""
        batch: Batch = {}
        thetas = [draw_crops(len(rows), self.scale, generator) for _ in range(self.views)]
        batch["theta"] = torch.stack(thetas, dim=1)
        if self.num_patches:
            batch["noise"] = torch.rand(len(rows), self.num_patches, generator=generator)
        if self.mask_ratios:
            drawn = int(torch.randint(len(self.mask_ratios), (), generator=generator))
            batch["mask_ratio"] = torch.full((len(rows),), self.mask_ratios[drawn], dtype=torch.float64)
        return batch


@dataclass(frozen=True, slots=True)
class LabelDraw:
    """Draws of supervised training: crops, seeds of the augmentation, labels.

    Attributes:
        labels: (N, F) float32, NaN unknown.
        scale: as `training.data.crops.draw_crops`.
    """

    labels: NDArray[np.float32]
    scale: tuple[float, float]

    def __call__(self, rows: NDArray[np.int64], generator: torch.Generator) -> Batch:
        """`theta` (B, 1, 2, 3), `seeds` (B,), `labels` (B, F), `weight` (B,): how many labels of a row are known."""
        labels = torch.from_numpy(self.labels[rows])
        return {
            "theta": draw_crops(len(rows), self.scale, generator).unsqueeze(1),
            "seeds": draw_seeds(len(rows), generator),
            "labels": labels,
            "weight": (~labels.isnan()).sum(dim=1).float(),
        }


@dataclass(frozen=True, slots=True)
class PixelLoad:
    """Adds `images` (B, P, P) uint8 of the rows, for a device that does not hold them all."""

    images: PackedImages

    def __call__(self, batch: Batch) -> Batch:
        """See the class."""
        return {**batch, "images": torch.from_numpy(self.images.take(batch["rows"].numpy()))}


@dataclass(frozen=True, slots=True)
class AugmentedLoad:
    """Replaces draws by `crops` (B, S, S) uint8, cut and augmented on the host."""

    images: PackedImages
    side_px: int
    augment: RandAugment

    def __call__(self, batch: Batch) -> Batch:
        """See the class."""
        batch = dict(batch)
        pixels = torch.from_numpy(self.images.take(batch["rows"].numpy()))
        crops = crop_on_host(pixels, batch.pop("theta").squeeze(1), self.side_px)
        return {**batch, "crops": self.augment(crops, batch.pop("seeds"))}
