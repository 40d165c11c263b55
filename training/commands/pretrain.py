"""`pretrain`: learn from images alone."""

import argparse

from models.nets.checkpoint import save
from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_source_arguments, sources_of
from training.commands.running import add_run_arguments, engine_of, open_run
from training.material import unlabelled
from training.pretrain import pretrain
from training.recipes.types import UnlabelledRecipe
from training.run import NETWORK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, run."""
    add_recipe_arguments(parser)
    add_source_arguments(parser)
    add_run_arguments(parser)


def run(options: argparse.Namespace) -> bool:
    """Train, and save the network once the recipe is done."""
    recipe = recipe_of(options, "PRETRAIN", UnlabelledRecipe)
    engine = engine_of(options)
    fabric = engine.launch()
    folder = open_run(options.out, options, fabric)
    with fabric.rank_zero_first():  # packing
        material = unlabelled(recipe, sources_of(options))
    folder.describe(recipe, material.rows)
    network = pretrain(recipe, material.images, folder, engine, fabric)
    if network is None:
        return False
    if fabric.is_global_zero:
        save(network, options.out / NETWORK)
    return True
