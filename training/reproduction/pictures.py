"""Pictures for a figure's networks to work on: validation images of a data set at hand, else drawn phantoms."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.imaging.phantom import draw
from models.imaging.preprocess import Geometry, InputContract, prepare
from models.nets.checkpoint import load
from models.nets.cnn_mae import InpaintingAutoencoder
from models.nets.mae import MaskedAutoencoder
from models.nets.patches import unpatchify
from training.data import chestxray14, manifest
from training.data.crops import normalise_by, statistics_table
from training.data.dataset import Row
from training.data.packed import pack
from training.recipes.table import PaperRow
from training.recipes.types import Normalisation
from training.reproduction.workshop import Workshop

Painter = MaskedAutoencoder | InpaintingAutoencoder

_PHANTOM_SIDE_PX = 512


@dataclass(frozen=True, slots=True)
class Pictures:
    """A few radiographs.

    Attributes:
        origin: for the caption.
        rows: of the data set; empty for phantoms.
        num: how many.
    """

    origin: str
    rows: tuple[Row, ...]
    num: int

    def at(self, side_px: int, workshop: Workshop) -> NDArray[np.uint8]:
        """(N, S, S), padded to a square."""
        contract = InputContract(side_px, Geometry.LETTERBOX)
        if self.rows:
            return np.array(pack([row.file for row in self.rows], contract, workshop.at_hand.sources.cache))
        phantoms = [draw(seed, _PHANTOM_SIDE_PX, _PHANTOM_SIDE_PX) for seed in range(self.num)]
        return np.stack([prepare(phantom, contract).image for phantom in phantoms])


def pictures(workshop: Workshop, num: int, *, with_findings: bool = False) -> Pictures:
    """Validation images of ChestX-ray14, or of a manifest's images from there, each of another patient.

    Args:
        workshop: its data sets are looked at.
        num: how many at most.
        with_findings: only images that are not normal.
    """
    at_hand = workshop.at_hand
    for name in (chestxray14.NAME, manifest.NAME):
        if name not in at_hand.sources.roots:
            continue
        dataset = at_hand.dataset(name)
        complete = frozenset(dataset.findings)
        fit = [row for row in dataset.split("val") if row.known == complete and (row.labels or not with_findings)]
        chosen = list({row.patient: row for row in reversed(fit)}.values())[::-1]  # the first image of each patient
        if chosen:
            step = max(1, len(chosen) // num)
            return Pictures(f"{name}, split val", tuple(chosen[::step][:num]), min(num, len(chosen)))
    return Pictures("drawn phantoms, nobody's anatomy", (), num)


def paint_of(row: PaperRow, workshop: Workshop) -> "Paint":
    """What a row's network paints with.

    Raises:
        ValueError: it is no autoencoder, or one that paints no pixels.
    """
    network = load(workshop.network(row.recipe))
    if not isinstance(network, Painter):
        raise ValueError(f"{row.key}: a {type(network).__name__} paints nothing")  # noqa: TRY004  # the row's mistake
    return Paint(network, row.recipe.normalisation, workshop.fabric.device)


class Paint:
    """What an autoencoder paints, in grey levels.

    Args:
        network: put on the device in eval mode.
        normalisation: by which it was trained.
        device: where it runs.

    Raises:
        ValueError: it was trained on standardised patches, and paints no pixels.
    """

    def __init__(self, network: Painter, normalisation: Normalisation, device: torch.device) -> None:
        if isinstance(network, MaskedAutoencoder) and network.config.norm_pix_loss:
            raise ValueError("a network that was trained with norm_pix_loss paints no pixels")
        self.network = network.eval().to(device)
        self.side_px, self.patch_px = network.config.image_size_px, network.config.patch_size_px
        self._statistics = statistics_table((chestxray14.NAME,), normalisation).to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(
        self, images: NDArray[np.uint8], noise: Tensor, mask_ratio: float
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Hide and paint.

        Args:
            images: (B, S, S).
            noise: (B, L), the smallest of which stay visible.
            mask_ratio: share that is hidden.

        Returns:
            (B, S, S) in [0, 1], every pixel painted; and (B, S, S), True where it was hidden.
        """
        statistics = self._statistics.expand(len(images), -1, -1)
        normalised = normalise_by(torch.from_numpy(images).to(self._device), statistics)
        painted = self.network(normalised, noise.to(self._device), mask_ratio)
        mean, std = statistics[:, :, :, None, None].unbind(1)
        grey = (unpatchify(painted.pred.float(), self.patch_px, self.network.grid) * std + mean).mean(dim=1)
        squares = painted.mask.unsqueeze(-1).expand(-1, -1, self.patch_px**2)
        hidden = unpatchify(squares, self.patch_px, self.network.grid)[:, 0] > 0.5
        return grey.clamp(0, 1).cpu().numpy(), hidden.cpu().numpy()
