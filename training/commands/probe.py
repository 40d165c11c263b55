"""`probe`: a head on a frozen trunk, solved."""

import argparse

from training.commands.linprobe import add_arguments
from training.commands.recipe import recipe_of
from training.commands.running import run_recipe
from training.recipes.probe_types import ProbeRecipe

__all__ = ["add_arguments", "run"]  # what is asked for is what `linprobe` asks for


def run(options: argparse.Namespace) -> bool:
    """Solve, and save trunk and head as one classifier."""
    return run_recipe(recipe_of(options, "PROBE", ProbeRecipe), options.init, options)
