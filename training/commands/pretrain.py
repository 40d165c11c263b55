"""`pretrain`: learn from images alone."""

import argparse
from pathlib import Path

from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_source_arguments
from training.commands.running import add_run_arguments, run_recipe
from training.recipes.types import UnlabelledRecipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, run."""
    add_recipe_arguments(parser)
    add_source_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--init", type=Path, help="weights of an earlier run to go on from; without it, random weights")


def run(options: argparse.Namespace) -> bool:
    """Train, and save the network once the recipe is done."""
    return run_recipe(recipe_of(options, "PRETRAIN", UnlabelledRecipe), options.init, options)
