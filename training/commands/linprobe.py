"""`linprobe`: a linear head on a frozen trunk."""

import argparse
from pathlib import Path

from models.nets.checkpoint import initialise_encoder, save
from models.nets.vit import VitClassifier
from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_source_arguments, sources_of
from training.commands.running import add_run_arguments, engine_of, open_run
from training.linprobe import linprobe
from training.material import labelled
from training.recipes.types import LinprobeRecipe
from training.run import NETWORK
from training.trunks import build_classifier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, run, and the trunk."""
    add_recipe_arguments(parser)
    add_source_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--init", type=Path, required=True, help="checkpoint that gives the trunk")


def run(options: argparse.Namespace) -> bool:
    """Train, and save trunk and head as one classifier once the recipe is done."""
    recipe = recipe_of(options, "LINPROBE", LinprobeRecipe)
    engine = engine_of(options)
    fabric = engine.launch()
    folder = open_run(options.out, options, fabric)
    with fabric.rank_zero_first():  # packing
        material = labelled(recipe, sources_of(options))
    trunk = build_classifier(recipe, len(material.findings))
    if not isinstance(trunk, VitClassifier):
        raise ValueError(f"{recipe.name}: linear probing is for vision transformers")  # noqa: TRY004  # a mistake of the caller's
    initialise_encoder(trunk, options.init)
    folder.describe(recipe, material.rows)
    trained = linprobe(recipe, trunk, material.data, folder, engine, fabric)
    if trained is None:
        return False
    if fabric.is_global_zero:
        save(trained, options.out / NETWORK)
    return True
