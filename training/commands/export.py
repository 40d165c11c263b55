"""`export`: a bundle from two runs."""

import argparse
from pathlib import Path

from models.nets.architecture import Classifier
from models.nets.checkpoint import load
from models.nets.mae import MaskedAutoencoder
from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_manifest_arguments, labelled
from training.crossval import OUT_OF_FOLD, OutOfFold, read_out_of_fold
from training.export import Material, export
from training.graph_files import Networks
from training.recipes.types import ExportRecipe
from training.run import NETWORK, Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, manifest, the two runs, the bundle's folder."""
    add_recipe_arguments(parser)
    add_manifest_arguments(parser)
    parser.add_argument("--pretrained", type=Path, required=True, help="run folder of pretrain")
    parser.add_argument("--finetuned", type=Path, required=True, help="run folder of finetune, or folder of crossval")
    parser.add_argument(
        "--out-of-fold",
        type=Path,
        metavar="DIR",
        help="folder of crossval that calibrates; default: --finetuned, if it is one",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")


def run(options: argparse.Namespace) -> bool:
    """Write the bundle, or raise."""
    recipe = recipe_of(options, "EXPORT", ExportRecipe)
    classifier, autoencoder = load(options.finetuned / NETWORK), load(options.pretrained / NETWORK)
    if not isinstance(classifier, Classifier) or not isinstance(autoencoder, MaskedAutoencoder):
        raise ValueError("a bundle needs a classifier and a masked autoencoder")  # noqa: TRY004  # a mistake of the caller's, said in one line
    material = Material(
        held_out=labelled(options, "val"),
        out_of_fold=_out_of_fold(options),
        pretraining=Run(options.pretrained).description(),
        finetuning=Run(options.finetuned).description(),
        normals=[row for row in labelled(options, "train") if not row.labels and not row.flag],
    )
    manifest = export(recipe, Networks(classifier.eval(), autoencoder.eval()), material, options.out)
    print(f"{manifest.name} {manifest.version}: {options.out}")
    return True


def _out_of_fold(options: argparse.Namespace) -> OutOfFold | None:
    folder: Path = options.out_of_fold or options.finetuned
    if options.out_of_fold is None and not (folder / OUT_OF_FOLD).exists():
        return None
    return read_out_of_fold(folder / OUT_OF_FOLD)
