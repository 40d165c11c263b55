"""`finetune`: a classifier from labelled images."""

import argparse
from pathlib import Path

from models.nets.checkpoint import initialise_encoder, save
from models.nets.vit import VitClassifier
from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_source_arguments, sources_of
from training.commands.running import add_run_arguments, engine_of, open_run
from training.finetune import finetune
from training.head import refit_head, require_both_kinds
from training.material import labelled, plain
from training.recipes.types import FinetuneRecipe
from training.run import NETWORK
from training.trunks import build_classifier


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
    engine = engine_of(options)
    fabric = engine.launch()
    folder, sources = open_run(options.out, options, fabric), sources_of(options)
    with fabric.rank_zero_first():  # packing
        material = labelled(recipe, sources)
    if recipe.refit_head is not None:
        require_both_kinds(material.findings, material.data.labels)
    network = build_classifier(recipe, len(material.findings))
    if options.init is not None:
        initialise_encoder(network, options.init)
    folder.describe(recipe, material.rows)
    trained = finetune(recipe, network, material.data, folder, engine, fabric)
    if trained is None:
        return False
    if recipe.refit_head is not None and isinstance(trained, VitClassifier):
        images = plain(material.rows, recipe, sources)
        refit_head(trained, images, material.data.labels, inverse_penalty=recipe.refit_head)
    if fabric.is_global_zero:
        save(trained, options.out / NETWORK)
    return True
