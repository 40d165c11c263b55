"""The images that judge a network: the test split, or `val` where a data set has no test split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataError, Dataset, Row
from training.recipes.table import Released
from training.recipes.types import FinetuneRecipe, LinprobeRecipe
from training.reproduction.at_hand import AtHand

Judgeable = FinetuneRecipe | LinprobeRecipe | Released


@dataclass(frozen=True, slots=True)
class Judges:
    """Images that judge, of one data set.

    Attributes:
        dataset: whole.
        split: which of its splits.
        rows: of the split, with the labels that are needed and under a licence that counts.
    """

    dataset: Dataset
    split: str
    rows: tuple[Row, ...]

    @property
    def labels(self) -> NDArray[np.float32]:
        """(N, F), NaN unknown."""
        return self.dataset.labels(self.rows)

    @property
    def patients(self) -> list[str]:
        """N identifiers."""
        return [row.patient for row in self.rows]

    @property
    def text(self) -> str:
        """For a heading."""
        return f"{self.dataset.name}, split {self.split}: {len(self.rows)} images of {len(set(self.patients))} patients"


def judges_of(recipe: Judgeable, at_hand: AtHand) -> Judges:
    """The images that judge a recipe's network.

    Raises:
        DataError: there are none.
    """
    dataset = at_hand.dataset(recipe.data[0])
    split = "test" if any(row.split == "test" for row in dataset.rows) else "val"
    complete = frozenset(dataset.findings)
    wants_all = isinstance(recipe, Released) or recipe.known == "all"
    rows = [row for row in dataset.split(split) if (row.known == complete if wants_all else row.known)]
    permitted = tuple(row for row in rows if row.may_ship or at_hand.sources.any_licence)
    if not permitted:
        raise DataError(f"{dataset.name}: no row of split {split} has the labels that are needed")
    return Judges(dataset, split, permitted)
