"""A recipe by its name, with what `--set` changes in it."""

import argparse
import importlib
from typing import TypeVar

from training.overrides import override
from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.table import Table
from training.recipes.types import ExportRecipe, FromRun, Recipe

Kind = TypeVar("Kind", bound=Recipe | ExportRecipe | CrossvalRecipe)


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that takes a recipe asks for."""
    parser.add_argument("recipe", help="a module of training/recipes, or a row of a table: table1:vit-mae")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one value")


def recipe_of(options: argparse.Namespace, name: str, kind: type[Kind]) -> Kind:
    """The recipe that the command line names.

    Of a module it is the value called `name`. Of a table's row it is the row's recipe or, where a kind of pre-training
    is asked for, that of the run it starts from.

    Raises:
        ValueError: there is no such recipe, or a `--set` does not fit it.
    """
    module, _, row = options.recipe.partition(":")
    try:
        content = importlib.import_module(f"training.recipes.{module}")
        recipe = _of_row(content.TABLE, row, kind) if row else getattr(content, name)
    except (ModuleNotFoundError, AttributeError, KeyError) as error:
        raise ValueError(f"training/recipes has no {options.recipe!r} with {name}") from error
    if not isinstance(recipe, kind):
        raise ValueError(f"{options.recipe} is no {kind.__name__}")  # noqa: TRY004  # a mistake of the caller's, said in one line
    for assignment in options.set:
        recipe = override(recipe, assignment)
    return recipe


def _of_row(table: Table, key: str, kind: type[object]) -> object:
    recipe = table.row(key).recipe
    start = getattr(recipe, "start", None)
    return start.recipe if isinstance(start, FromRun) and isinstance(start.recipe, kind) else recipe
