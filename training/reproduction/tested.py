"""A network of a finished run before the images that judge it."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.nets.architecture import Classifier
from models.nets.checkpoint import load
from training.evaluation.network_model import NetworkModel, View
from training.evaluation.scores import Scores, score
from training.reproduction.judges import Judgeable, judges_of
from training.reproduction.precision import Found, find_boxes
from training.reproduction.workshop import Workshop

SCORES = "scores.npz"


class Tested:
    """A finished run's classifier and its judges.

    Args:
        recipe: of the run.
        workshop: in which it was made.
    """

    def __init__(self, recipe: Judgeable, workshop: Workshop) -> None:
        self.recipe, self._workshop = recipe, workshop
        self.judges = judges_of(recipe, workshop.at_hand)

    @cached_property
    def model(self) -> NetworkModel:
        """The network as evaluation sees it."""
        recipe, path = self.recipe, self._workshop.network(self.recipe)
        network = load(path)
        if not isinstance(network, Classifier):
            raise ValueError(f"{path}: a {type(network).__name__} classifies nothing")  # noqa: TRY004  # the file's mistake
        view = View(recipe.image_size_px, recipe.geometry, recipe.normalisation, recipe.data[0])
        device = self._workshop.fabric.device
        return NetworkModel(recipe.name, network, self.judges.dataset.findings, view, device=device)

    @cached_property
    def scores(self) -> Scores:
        """Logits of the judges; kept in the run's folder, and read from there the next time."""
        path = self._workshop.folder(self.recipe) / SCORES
        files = [row.file for row in self.judges.rows]
        if (kept := _kept(path, files)) is None:
            kept = score(self.model, files, self._workshop.at_hand.sources.cache).logits
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, logits=kept, files=np.array([file.name for file in files], np.str_))
        return Scores(self.judges.dataset.findings, kept)

    @cached_property
    def boxes(self) -> Found:
        """What Grad-CAM finds of the boxes on the judges."""
        return find_boxes(self.model, self.judges)


def _kept(path: Path, files: Sequence[Path]) -> NDArray[np.float32] | None:
    """Logits that were kept for these very files; None where there are none."""
    if not path.exists():
        return None
    with np.load(path) as kept:
        if kept["files"].tolist() != [file.name for file in files]:
            return None
        logits: NDArray[np.float32] = kept["logits"]
    return logits
