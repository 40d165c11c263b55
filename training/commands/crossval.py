"""`crossval`: classifiers by patient-grouped cross-validation, their out-of-fold scores, and their ensemble."""

import argparse
from pathlib import Path

from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_source_arguments, sources_of
from training.commands.running import add_run_arguments, engine_of
from training.crossval import SUMMARY, crossval
from training.recipes.crossval_types import CrossvalRecipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, folder, and where to start from."""
    add_recipe_arguments(parser)
    add_source_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--init", type=Path, help="checkpoint that gives the trunks; without it, random weights")


def run(options: argparse.Namespace) -> bool:
    """Train what is missing, score all, and print the mean AUROCs."""
    recipe = recipe_of(options, "CROSSVAL", CrossvalRecipe)
    if options.resume is None and (options.out / SUMMARY).exists():
        raise ValueError(f"{options.out} is done: add --resume auto to score it again, or name another folder")
    engine = engine_of(options)
    outcome = crossval(recipe, sources_of(options), options.init, options.out, engine, engine.launch())
    if outcome is None:
        return False
    print((options.out / SUMMARY).read_text(), end="")
    return True
