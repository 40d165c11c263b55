"""A recipe by its name: a module of `training/recipes`, with what `--set` changes in it."""

import argparse
import importlib
from typing import TypeVar

from training.overrides import override
from training.recipes.types import ExportRecipe, FinetuneRecipe, PretrainRecipe

Recipe = TypeVar("Recipe", PretrainRecipe, FinetuneRecipe, ExportRecipe)


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that takes a recipe asks for."""
    parser.add_argument("recipe", help="a module of training/recipes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one value")


def recipe_of(options: argparse.Namespace, name: str, kind: type[Recipe]) -> Recipe:
    """The recipe `name` of the module that the command line names.

    Raises:
        ValueError: there is no such recipe, or a `--set` does not fit it.
    """
    try:
        recipe = getattr(importlib.import_module(f"training.recipes.{options.recipe}"), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"training/recipes has no {options.recipe!r} with {name}") from error
    if not isinstance(recipe, kind):
        raise ValueError(f"{options.recipe}.{name} is no {kind.__name__}")  # noqa: TRY004  # a mistake of the caller's, said in one line
    for assignment in options.set:
        recipe = override(recipe, assignment)
    return recipe
