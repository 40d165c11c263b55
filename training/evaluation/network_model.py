"""A network under evaluation: one of our checkpoints, or one in memory."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from models.imaging.preprocess import Geometry, InputContract
from models.nets.architecture import Classifier
from models.nets.checkpoint import load
from models.nets.vit import VitConfig
from training.data.crops import normalise_by, statistics_table
from training.data.dataset import Dataset
from training.evaluation.operating import Thresholds
from training.recipes.types import Normalisation

CNN_SIDE_PX = 224  # a convolutional network does not say what size it saw
DESCRIPTION = "run.json"  # what `training.run.Run.describe` writes beside a run's network


@dataclass(frozen=True, slots=True)
class View:
    """How a network sees a picture; a checkpoint does not say it, a bundle would.

    Attributes:
        side_px: rows and columns.
        geometry: how the picture is laid on them.
        normalisation: as in `training.recipes.types.Recipe`.
        dataset: name of the data set it is shown, which `per-dataset` asks for.
    """

    side_px: int
    geometry: Geometry = Geometry.LETTERBOX
    normalisation: Normalisation = "grey"
    dataset: str = "manifest"

    def __post_init__(self) -> None:
        if self.normalisation not in get_args(Normalisation):
            raise ValueError(f"{self.normalisation!r} is none of {', '.join(get_args(Normalisation))}")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a caller knows of a checkpoint; None where nobody has said.

    Attributes:
        geometry, normalisation: as in `View`.
        heads: attention heads of a vision transformer, whose shapes do not tell them.
    """

    geometry: Geometry | None = None
    normalisation: Normalisation | None = None
    heads: int | None = None


NOTHING = Stated()


class NetworkModel:
    """A classifier in eval mode on a device; see `training.evaluation.scores.Model`.

    Args:
        name: for the report.
        network: put into eval mode and onto the device.
        findings: in the order of its outputs.
        view: how it sees a picture.
        device: where it runs, in float32.
        sha256: of the file it came from.

    Raises:
        ValueError: the network has another number of outputs.
    """

    thresholds: Thresholds | None = None

    def __init__(
        self,
        name: str,
        network: Classifier,
        findings: tuple[str, ...],
        view: View,
        *,
        device: torch.device | Literal["cpu", "cuda"] = "cpu",
        sha256: str | None = None,
    ) -> None:
        if len(findings) != network.config.num_findings:
            raise ValueError(
                f"{name} has {network.config.num_findings} outputs, the data name {len(findings)} findings"
            )
        self.name, self.findings, self.sha256 = name, findings, sha256
        self.network = network.eval().to(device)
        self.contract = InputContract(view.side_px, view.geometry)
        self._device = torch.device(device)
        self._statistics = statistics_table((view.dataset,), view.normalisation).to(device)

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S) to (B, F)."""
        logits: NDArray[np.float32] = self.network(self.normalised(images)).float().cpu().numpy()
        return logits

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64] | None:  # noqa: ARG002  # the protocol's
        """None: a sigmoid that nobody calibrated is no probability."""
        return None

    @torch.inference_mode()
    def saliency(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S) to raw maps (B, F, G, G), in closed form."""
        _, maps = self.network.saliency(self.normalised(images))
        return cast("NDArray[np.float32]", maps.float().cpu().numpy())

    def normalised(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """(B, S, S) to the float (B, 3, S, S) that the network takes, on its device."""
        pixels = torch.from_numpy(np.array(images)).to(self._device)
        return normalise_by(pixels, self._statistics.expand(len(pixels), -1, -1))


def open_checkpoint(
    path: Path, dataset: Dataset, stated: Stated = NOTHING, device: torch.device | Literal["cpu", "cuda"] = "cpu"
) -> NetworkModel:
    """A classifier from a file.

    Args:
        path: what `models.nets.checkpoint.load` opens.
        dataset: names the outputs.
        stated: wins over the `run.json` beside the file; where neither says it, letterbox and `grey` are taken.
        device: where it runs.

    Raises:
        models.errors.CheckpointError: what `models.nets.checkpoint.load` refuses.
        ValueError: the file holds no classifier, or one with another number of outputs.
    """
    network = load(path, heads=stated.heads)
    if not isinstance(network, Classifier):
        raise ValueError(f"{path}: a {type(network).__name__} classifies nothing")  # noqa: TRY004  # as in `commands`
    recipe = _recipe_beside(path)
    config = network.config
    side_px = config.image_size_px if isinstance(config, VitConfig) else recipe.get("image_size_px", CNN_SIDE_PX)
    side_px = recipe.get("given_px", side_px)
    view = View(
        int(side_px),
        Geometry(stated.geometry or recipe.get("geometry", Geometry.LETTERBOX)),
        stated.normalisation or cast("Normalisation", recipe.get("normalisation", "grey")),
        dataset.name,
    )
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    name = f"{path.resolve().parent.name}/{path.name}"
    return NetworkModel(name, network, dataset.findings, view, device=device, sha256=sha256)


def _recipe_beside(path: Path) -> dict[str, str]:
    description = path.parent / DESCRIPTION
    if not description.is_file():
        return {}
    recipe: dict[str, str] = json.loads(description.read_text())["recipe"]
    return recipe
