"""Tiny twins of recipes: a few steps on small images, and nothing else of the recipe is changed.

Data sets, normalisation, geometry, start, head, loss, crops, masks, augmentation and selection stay: a recipe that is
broken in any of them breaks as its twin.
"""

from dataclasses import replace
from typing import TypeVar

from models.nets.vit import VIT_SHAPES
from training.recipes.table import PaperRow, Released, RowRecipe
from training.recipes.types import FinetuneRecipe, FromRun, LinprobeRecipe, PretrainRecipe, Recipe

# 36 patches, of which 95 % hidden leaves one. A larger image stays larger, so that position embeddings are resampled.
SIDE_PX, LARGE_SIDE_PX = 96, 128
BORDER_PX = 16  # of the packed image, around a crop
BATCH = 4

_USUAL_SIDE_PX = 224

Kind = TypeVar("Kind", bound=Recipe)


def tiny_row(row: PaperRow) -> PaperRow:
    """The row with a tiny recipe; its numbers are the paper's, and nothing that is measured can be near them."""
    return replace(row, recipe=tiny(row.recipe))


def tiny(recipe: RowRecipe) -> RowRecipe:
    """A recipe of any kind, and what it starts from."""
    match recipe:
        case Released():
            return replace(recipe, image_size_px=SIDE_PX)
        case FinetuneRecipe() | LinprobeRecipe():
            start = FromRun(_shrunk(recipe.start.recipe)) if isinstance(recipe.start, FromRun) else recipe.start
            return replace(_shrunk(recipe), start=start, eval_every=min(1, recipe.eval_every))
        case _:
            return _shrunk(recipe)


def _shrunk(recipe: Kind) -> Kind:
    side_px = LARGE_SIDE_PX if recipe.image_size_px > _USUAL_SIDE_PX else SIDE_PX
    shrunk = replace(
        recipe,
        optim=replace(recipe.optim, epochs=1, batch=BATCH, warmup_epochs=0),
        image_size_px=side_px,
        packed_size_px=side_px + BORDER_PX,
    )
    if isinstance(shrunk, PretrainRecipe | FinetuneRecipe | LinprobeRecipe) and shrunk.encoder in VIT_SHAPES:
        return replace(shrunk, encoder="vit_tiny")
    return shrunk
