"""A recipe by its name, with what `--set` changes in it."""

import argparse
import importlib
from pkgutil import iter_modules
from typing import TypeVar

from training import recipes
from training.overrides import override
from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.table import Table
from training.recipes.types import ExportRecipe, FromRun, Recipe

_NAMES_IN_TABLES = ("PRETRAIN", "FINETUNE", "LINPROBE")
_NAMES = (*_NAMES_IN_TABLES, "PROBE", "CROSSVAL", "EXPORT")

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
        raise ValueError(_said_of(options.recipe, name)) from error
    if not isinstance(recipe, kind):
        raise ValueError(f"{options.recipe} is no {kind.__name__}")  # noqa: TRY004  # a mistake of the caller's, said in one line
    for assignment in options.set:
        recipe = override(recipe, assignment)
    return recipe


def _said_of(recipe: str, name: str) -> str:
    """Why a recipe is not there: what its module is for, or which there are for the command."""
    module, _, row = recipe.partition(":")
    offers, tables = _offers()
    if module in tables:
        keys = [one.key for one in (*tables[module].rows, *tables[module].variants)]
        lack = f"has no row {row!r}" if row else f"is a table: name one of its rows, as {module}:{keys[0]}"
        return f"{module} {lack}; there are {', '.join(keys)}"
    said = f"training/recipes has no {recipe!r} for {name.lower()}"
    if purposes := [one.lower() for one, modules in offers.items() if recipe in modules]:
        said += f": it is for {' and '.join(purposes)}"
    said += f"; there are {', '.join(offers[name])}"
    return f"{said}, and rows of {', '.join(tables)}" if name in _NAMES_IN_TABLES else said


def _offers() -> tuple[dict[str, list[str]], dict[str, Table]]:
    """Modules that have a recipe, by the name of the value, which is that of the command; and the tables."""
    offers: dict[str, list[str]] = {name: [] for name in _NAMES}
    tables: dict[str, Table] = {}
    for found in iter_modules(recipes.__path__):
        content = importlib.import_module(f"training.recipes.{found.name}")
        if isinstance(table := getattr(content, "TABLE", None), Table):
            tables[found.name] = table
        elif found.name != "base":
            for name in _NAMES:
                offered = getattr(content, name, None)
                is_imported = isinstance(offered, Recipe) and not offered.name.startswith(found.name)
                if offered is not None and not is_imported:
                    offers[name].append(found.name)
    return offers, tables


def _of_row(table: Table, key: str, kind: type[object]) -> object:
    recipe = table.row(key).recipe
    start = getattr(recipe, "start", None)
    return start.recipe if isinstance(start, FromRun) and isinstance(start.recipe, kind) else recipe
