"""`pretrain`: learn from images alone."""

import argparse

import torch

from models.imaging.preprocess import InputContract
from models.nets.checkpoint import save
from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_manifest_arguments, permitted
from training.commands.running import NETWORK, add_run_arguments, open_run
from training.data.packed import pack
from training.pretrain import pretrain
from training.recipes.types import PretrainRecipe

NAME = "pretrain"
HELP = "masked-autoencoder pre-training on every image that may be used"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, manifest, run."""
    add_recipe_arguments(parser)
    add_manifest_arguments(parser)
    add_run_arguments(parser)


def run(options: argparse.Namespace) -> bool:
    """Train, and save the network once the recipe is done."""
    recipe = recipe_of(options, "PRETRAIN", PretrainRecipe)
    rows = permitted(options, "train")
    images = pack([row.file for row in rows], InputContract(recipe.packed_size_px), options.cache)
    folder = open_run(options)
    folder.describe(recipe, rows)
    network = pretrain(recipe, images, folder, torch.device(options.device))
    if network is None:
        return False
    save(network, options.out / NETWORK)
    return True
