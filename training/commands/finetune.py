"""`finetune`: a classifier from labelled images."""

import argparse
from pathlib import Path

from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_source_arguments
from training.commands.running import add_run_arguments, run_recipe
from training.recipes.types import FinetuneRecipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, run, and where to start from."""
    add_recipe_arguments(parser)
    add_source_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--init", type=Path, help="checkpoint to start from; without it, random weights")


def run(options: argparse.Namespace) -> bool:
    """Train, and save the network once the recipe is done."""
    recipe = recipe_of(options, "FINETUNE", FinetuneRecipe)
    if recipe.start is not None and options.init is None:
        raise ValueError(f"{recipe.name} starts from other weights: give them with --init")
    return run_recipe(recipe, options.init, options)
