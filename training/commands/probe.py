"""`probe`: a linear head on a frozen trunk, solved."""

import argparse
from pathlib import Path

from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_source_arguments
from training.commands.running import add_run_arguments, run_recipe
from training.recipes.probe_types import ProbeRecipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, run, and the trunk."""
    add_recipe_arguments(parser)
    add_source_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--init", type=Path, required=True, help="checkpoint that gives the trunk")


def run(options: argparse.Namespace) -> bool:
    """Solve, and save trunk and head as one classifier."""
    return run_recipe(recipe_of(options, "PROBE", ProbeRecipe), options.init, options)
