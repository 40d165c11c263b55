"""From a recipe's data sets to packed images and labels: which rows, which split, which patients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.imaging.preprocess import InputContract
from training.data.catalogue import open_dataset
from training.data.crops import statistics_table
from training.data.dataset import DataError, Dataset, Row, without_patients_of
from training.data.packed import PackedImages, pack
from training.data.splits import fold_of, is_in_share
from training.finetune import LabelledImages
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe, LinprobeRecipe, Recipe
from training.selection import Held

Supervised = FinetuneRecipe | LinprobeRecipe | ProbeRecipe
Folded = FinetuneRecipe | ProbeRecipe  # may leave a fold of their patients out


@dataclass(frozen=True, slots=True)
class Sources:
    """Where data lie, and which of them may be used.

    Attributes:
        roots: folder, or manifest file, of each data set at hand, by its name in `training.data.catalogue`.
        cache: folder of packed images.
        any_licence: use rows, too, whose weights may not be shipped.
    """

    roots: Mapping[str, Path]
    cache: Path
    any_licence: bool = False

    def open(self, recipe: Recipe) -> list[Dataset]:
        """The recipe's data sets.

        Raises:
            DataError: one of them is not at hand.
        """
        if missing := [name for name in recipe.data if name not in self.roots]:
            raise DataError(f"{recipe.name} needs {', '.join(missing)}; at hand: {', '.join(self.roots) or 'nothing'}")
        return [open_dataset(name, self.roots[name]) for name in recipe.data]


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """What pre-training sees: packed images and the rows they come from."""

    rows: tuple[Row, ...]
    images: PackedImages


@dataclass(frozen=True, slots=True)
class Labelled:
    """What supervised training sees.

    Attributes:
        findings: in the order of the network's outputs.
        rows: of the training images.
        data: images, labels, and what chooses the best epoch.
    """

    findings: tuple[str, ...]
    rows: tuple[Row, ...]
    data: LabelledImages

    def prevalence(self) -> NDArray[np.float32]:
        """Share of the images with each finding among those where it is known, (F,); a half where it never is."""
        is_known = ~np.isnan(self.data.labels)
        present = np.nansum(self.data.labels, axis=0)
        return np.where(is_known.any(axis=0), present / np.maximum(is_known.sum(axis=0), 1), 0.5).astype(np.float32)


def plain(rows: Sequence[Row], recipe: Recipe, sources: Sources) -> NDArray[np.uint8]:
    """Images as the network sees them, nothing cropped at random: (N, S, S) uint8."""
    return pack([row.file for row in rows], InputContract(recipe.image_size_px, recipe.geometry), sources.cache)


def unlabelled(recipe: Recipe, sources: Sources) -> Unlabelled:
    """Training images of all the recipe's data sets, whatever their labels."""
    chosen = [_share(_permitted(dataset.split("train"), sources), recipe.share) for dataset in sources.open(recipe)]
    return Unlabelled(tuple(row for rows in chosen for row in rows), _packed(recipe, chosen, sources))


def labelled(recipe: Supervised, sources: Sources, *, held_out: bool = False) -> Labelled:
    """Training images with labels, and the validation images that choose among epochs.

    Args:
        recipe: which data sets, and which fold of their training patients is left out.
        sources: where they lie.
        held_out: give the fold that is left out instead of the others.

    Raises:
        DataError: the data sets do not share one vocabulary, a split that is needed is empty, or epochs are to be
            chosen on data that nobody has split.
    """
    datasets = sources.open(recipe)
    first = datasets[0]
    if any(dataset.findings != first.findings for dataset in datasets):
        raise DataError(f"{', '.join(recipe.data)} do not share one vocabulary")
    chosen = [_share(_permitted(_supervised(recipe, dataset, "train"), sources), recipe.share) for dataset in datasets]
    if isinstance(recipe, Folded) and recipe.folds:
        chosen = [[row for row in part if (_fold(row, recipe) == recipe.held_fold) == held_out] for part in chosen]
    rows = [row for part in chosen for row in part]
    if not rows:
        raise DataError(f"{', '.join(recipe.data)}: no row of the training split has the labels that are needed")
    is_selecting = not isinstance(recipe, ProbeRecipe) and recipe.eval_every
    held = _held(recipe, datasets, sources) if is_selecting else None
    images = _packed(recipe, chosen, sources)
    data = LabelledImages(images, first.labels(rows), first.is_exclusive, held)
    return Labelled(first.findings, tuple(rows), data)


def normals(recipe: ProbeRecipe, sources: Sources) -> list[Row]:
    """Training images of the sources without labels that the recipe says were read as normal.

    Raises:
        DataError: a source has no image that may be used, or one with labels of its own.
    """
    rows = [row for dataset in sources.open(recipe) for row in _permitted(dataset.split("train"), sources)]
    for source in recipe.normals:
        of_it = [row for row in rows if row.source == source]
        if not of_it or any(row.known for row in of_it):
            raise DataError(f"{recipe.name}: {source} has no image that may be used, or labels of its own")
    return [row for row in rows if row.source in recipe.normals]


def require_split(rows: Iterable[Row]) -> None:
    """Refuse rows that are in no split: each split would have them all.

    Raises:
        DataError: there is one.
    """
    if any(not row.split for row in rows):
        raise DataError(
            "the data are unsplit: their training images would be the held-out ones, too; give the manifest a column "
            "`split` that says `train` or `val`, the same for all images of a patient"
        )


def _supervised(recipe: Supervised, dataset: Dataset, split: str) -> list[Row]:
    """Rows of a split whose labels suffice."""
    complete = frozenset(dataset.findings)
    rows = [row for row in dataset.split(split) if row.known]
    if recipe.known == "all":
        rows = [row for row in rows if row.known == complete]
    if split == "train" and not recipe.keep_boxes:
        rows = without_patients_of(rows, [row for row in dataset.rows if row.has_box])
    return rows


def _fold(row: Row, recipe: Folded) -> int:
    return fold_of(row.patient, recipe.folds)


def _held(recipe: Supervised, datasets: Sequence[Dataset], sources: Sources) -> Held:
    for dataset in datasets:
        require_split(dataset.rows)
    chosen = [_permitted(_supervised(recipe, dataset, "val"), sources) for dataset in datasets]
    rows = [row for part in chosen for row in part]
    if not rows:
        raise DataError(f"{', '.join(recipe.data)}: the validation split, which chooses the epoch, is empty")
    table = statistics_table(recipe.data, recipe.normalisation).numpy()
    part_of = np.repeat(np.arange(len(chosen)), [len(part) for part in chosen])
    return Held(plain(rows, recipe, sources), datasets[0].labels(rows), table[part_of], datasets[0].is_exclusive)


def _permitted(rows: Sequence[Row], sources: Sources) -> list[Row]:
    permitted = [row for row in rows if row.may_ship or sources.any_licence]
    if rows and not permitted:
        names = ", ".join(sorted({row.source for row in rows} - {""})) or "these images"
        raise DataError(f"the terms of {names} do not let weights be passed on; --any-licence takes them anyway")
    return permitted


def _share(rows: list[Row], share: float) -> list[Row]:
    """All rows of a part of the patients."""
    return [row for row in rows if share >= 1 or is_in_share(row.patient, share)]


def _packed(recipe: Recipe, chosen: Sequence[Sequence[Row]], sources: Sources) -> PackedImages:
    contract = InputContract(recipe.packed_size_px, recipe.geometry)
    return PackedImages.joined([pack([row.file for row in rows], contract, sources.cache) for rows in chosen])
