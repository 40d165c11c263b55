"""What this machine has of what a row needs: data sets, and weights that others published."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from training.data.catalogue import open_dataset
from training.data.dataset import DataError, Dataset
from training.material import Sources
from training.recipes.table import Released, RowRecipe
from training.recipes.types import FinetuneRecipe, FromFile, FromRun, LinprobeRecipe


class AtHand:
    """Data sets and weights; each is read once.

    Args:
        sources: where data sets lie.
        weights: files by the keys of `training.recipes.weights`.

    Raises:
        ValueError: a file is missing.
    """

    def __init__(self, sources: Sources, weights: Mapping[str, Path]) -> None:
        self.sources, self.weights = sources, weights
        for key, path in weights.items():
            if not path.is_file():
                raise ValueError(f"--weights {key}={path}: there is no such file")
        self.dataset = cache(self._dataset)
        self.fingerprint = cache(self._fingerprint)
        self.sha256 = cache(self._sha256)

    def _dataset(self, name: str) -> Dataset:
        return open_dataset(name, self.sources.roots[name])

    def _fingerprint(self, name: str) -> str:
        """Of the lists that say which images there are and what they show, and of the licences that count."""
        digest = hashlib.sha256(f"{name} {self.sources.any_licence}".encode())
        for path in self.dataset(name).lists:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _sha256(self, key: str) -> str:
        with self.weights[key].open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def missing(self, recipe: RowRecipe) -> tuple[str, ...]:
        """What the row lacks, in words; nothing where it can run."""
        wanted = [problem for one in chain(recipe) for name in one.data if (problem := self._lack_of(name))]
        if (file := file_of(recipe)) is not None and file.key not in self.weights:
            wanted.append(f"--weights {file.key}=FILE ({file.origin})")
        return tuple(dict.fromkeys(wanted))

    def _lack_of(self, name: str) -> str:
        if name not in self.sources.roots:
            return f"data set {name}"
        try:
            rows = self.dataset(name).split("train")
        except DataError as error:
            return f"data set {name} as it was published ({error})"
        if not (self.sources.any_licence or any(row.may_ship for row in rows)):
            return f"--any-licence ({name}'s terms do not let weights be passed on)"
        return ""


def chain(recipe: RowRecipe) -> Iterator[RowRecipe]:
    """The runs that a row needs, in their order: what it starts from, then itself."""
    if isinstance(recipe, FinetuneRecipe | LinprobeRecipe) and isinstance(recipe.start, FromRun):
        yield recipe.start.recipe
    yield recipe


def file_of(recipe: RowRecipe) -> FromFile | None:
    """The published weights that a row needs, if any."""
    if isinstance(recipe, Released):
        return recipe.file
    if isinstance(recipe, FinetuneRecipe | LinprobeRecipe) and isinstance(recipe.start, FromFile):
        return recipe.start
    return None
