"""Where runs are made: each in a folder of its own, named for its recipe and for what it is made from."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lightning_fabric import Fabric

from training.description import NETWORK
from training.engine import Engine
from training.recipes.table import Released, RowRecipe
from training.recipes.types import FinetuneRecipe, FromFile, FromRun, LinprobeRecipe
from training.reproduction.at_hand import AtHand, chain, file_of
from training.run import Run


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every run is made with.

    Attributes:
        at_hand: data sets and weights.
        out: folder of all runs' folders.
        engine: how steps are executed.
        fabric: launched.
        checkpoint_s: seconds between checkpoints.
    """

    at_hand: AtHand
    out: Path
    engine: Engine
    fabric: Fabric
    checkpoint_s: float = 600.0

    def folder(self, recipe: RowRecipe) -> Path:
        """`<name>-<hash>`: another recipe, other lists or other weights make another run, never this one go on."""
        content = {
            "kind": type(recipe).__name__,
            "recipe": asdict(recipe),
            "data": {name: self.at_hand.fingerprint(name) for one in chain(recipe) for name in one.data},
            "weights": None if (file := file_of(recipe)) is None else self.at_hand.sha256(file.key),
        }
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return self.out / f"{recipe.name}-{digest[:10]}"

    def network(self, recipe: RowRecipe) -> Path:
        """The file of a finished run's network, or the one that others published."""
        if isinstance(recipe, Released):
            return self.at_hand.weights[recipe.file.key]
        return self.folder(recipe) / NETWORK

    def start(self, recipe: FinetuneRecipe | LinprobeRecipe) -> Path | None:
        """The file that a run starts from; None for random weights."""
        match recipe.start:
            case FromRun(source):
                return self.network(source)
            case FromFile(key):
                return self.at_hand.weights[key]
        return None

    def open(self, recipe: RowRecipe) -> Run:
        """The run's folder, new or as it was left."""
        is_first = self.fabric.is_global_zero
        return Run(self.folder(recipe), interval_s=self.checkpoint_s, is_writer=is_first, has_board=is_first)
