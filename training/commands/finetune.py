"""`finetune`: a classifier from labelled images."""

import argparse
from pathlib import Path

import torch

from models.imaging.preprocess import InputContract
from models.nets.checkpoint import initialise_encoder, save
from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_manifest_arguments, training_rows
from training.commands.running import NETWORK, add_run_arguments, open_run
from training.data.dataset import label_matrix
from training.data.packed import pack
from training.finetune import LabelledImages, build_classifier, finetune
from training.head import refit_head
from training.recipes.types import FinetuneRecipe

NAME = "finetune"
HELP = "a classifier on the images with complete labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, manifest, run, and where to start from."""
    add_recipe_arguments(parser)
    add_manifest_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--init", type=Path, help="checkpoint to start from; without it, random weights")


def run(options: argparse.Namespace) -> bool:
    """Train, and save the network once the recipe is done."""
    recipe = recipe_of(options, "FINETUNE", FinetuneRecipe)
    rows = training_rows(options)
    images = pack([row.file for row in rows], InputContract(recipe.packed_size_px), options.cache)
    network = build_classifier(recipe, label_matrix(rows).shape[1])
    if options.init is not None:
        initialise_encoder(network, options.init)
    data = LabelledImages(images, label_matrix(rows))
    folder = open_run(options)
    folder.describe(recipe, rows)
    trained = finetune(recipe, network, data, folder, torch.device(options.device))
    if trained is None:
        return False
    if recipe.refit_head is not None:
        plain = pack([row.file for row in rows], InputContract(recipe.image_size_px), options.cache)
        refit_head(trained, plain, label_matrix(rows), inverse_penalty=recipe.refit_head)
    save(trained, options.out / NETWORK)
    return True
