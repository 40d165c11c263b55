"""The command line of `training`: reads arguments and files, calls one function, writes what comes out."""

import argparse
import importlib
from pathlib import Path
from typing import TypeVar

import torch

from models.errors import ThorascopeError
from models.imaging.preprocess import InputContract
from models.labels import CHESTXRAY14
from models.nets.checkpoint import initialise_encoder, load, save
from models.nets.mae import MaskedAutoencoder
from models.nets.vit import VitClassifier
from training import bench
from training.data.manifest import Row, label_matrix, read_manifest, without_patients_of
from training.data.packed import pack
from training.export import Material, Networks, export
from training.finetune import LabelledImages, build_classifier, finetune
from training.head import refit_head
from training.overrides import override
from training.pretrain import pretrain
from training.recipes.types import ExportRecipe, FinetuneRecipe, PretrainRecipe
from training.run import Run

NETWORK = "network.safetensors"

Recipe = TypeVar("Recipe", PretrainRecipe, FinetuneRecipe, ExportRecipe)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it is done, 1 where it was told to stop early, 2 for bad arguments or input."""
    options = _parser().parse_args(arguments)
    torch.set_flush_denormal(True)
    try:
        done: bool = options.run(options)
    except (ThorascopeError, ValueError, FileNotFoundError) as error:
        print(f"training {options.command}: {error}")
        return 2
    return 0 if done else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, text in (
        ("pretrain", _pretrain, "masked-autoencoder pre-training on every image that may be used"),
        ("finetune", _finetune, "a classifier on the images with complete labels"),
        ("export", _export, "a bundle from a pre-trained and a fine-tuned network"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("recipe", help="a module of training/recipes")
        command.add_argument("--data", type=Path, required=True, help="manifest CSV; image paths are relative to it")
        command.add_argument("--out", type=Path, required=True, help="folder of the run, or of the bundle")
        command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one value")
        command.add_argument("--any-licence", action="store_true", help="also rows whose weights may not be shipped")
        if name == "export":
            command.add_argument("--pretrained", type=Path, required=True, help="run folder of pretrain")
            command.add_argument("--finetuned", type=Path, required=True, help="run folder of finetune")
            continue
        command.add_argument("--resume", choices=["auto"], help="go on from the run's checkpoint, if there is one")
        command.add_argument("--cache", type=Path, default=Path("runs/cache"), help="packed images")
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        if name == "finetune":
            command.add_argument("--init", type=Path, help="checkpoint to start from; without it, random weights")
    command = commands.add_parser("bench", help="what docs/performance.md states; writes bench.json")
    command.set_defaults(run=_bench)
    command.add_argument("--out", type=Path, default=Path("bench.json"))
    return parser


def _recipe(options: argparse.Namespace, name: str, kind: type[Recipe]) -> Recipe:
    try:
        recipe = getattr(importlib.import_module(f"training.recipes.{options.recipe}"), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"training/recipes has no {options.recipe!r} with {name}") from error
    if not isinstance(recipe, kind):
        raise ValueError(f"{options.recipe}.{name} is no {kind.__name__}")  # noqa: TRY004  # a mistake of the caller's, said in one line
    for assignment in options.set:
        recipe = override(recipe, assignment)
    return recipe


def _rows(options: argparse.Namespace, split: str) -> list[Row]:
    """Rows of a split (all rows where the manifest has no splits) that may be used."""
    rows = [row for row in read_manifest(options.data) if row.split in ("", split)]
    return [row for row in rows if row.may_ship or options.any_licence]


def _labelled(options: argparse.Namespace, split: str) -> list[Row]:
    return [row for row in _rows(options, split) if row.known == frozenset(CHESTXRAY14)]


def _training_rows(options: argparse.Namespace) -> list[Row]:
    """Rows with complete labels; patients with a radiologist's box are kept for measuring localisation."""
    rows = _labelled(options, "train")
    return without_patients_of(rows, [row for row in rows if row.has_box])


def _open_run(options: argparse.Namespace) -> Run:
    if options.resume is None and (options.out / "checkpoint.pt").exists():
        raise ValueError(f"{options.out} holds a checkpoint: add --resume auto to go on, or name another folder")
    run = Run(options.out)
    run.stop_on_sigterm()
    return run


def _pretrain(options: argparse.Namespace) -> bool:
    recipe = _recipe(options, "PRETRAIN", PretrainRecipe)
    rows = _rows(options, "train")
    images = pack([row.file for row in rows], InputContract(recipe.packed_size_px), options.cache)
    run = _open_run(options)
    run.describe(recipe, rows)
    network = pretrain(recipe, images, run, torch.device(options.device))
    if network is None:
        return False
    save(network, options.out / NETWORK)
    return True


def _finetune(options: argparse.Namespace) -> bool:
    recipe = _recipe(options, "FINETUNE", FinetuneRecipe)
    rows = _training_rows(options)
    images = pack([row.file for row in rows], InputContract(recipe.packed_size_px), options.cache)
    network = build_classifier(recipe, label_matrix(rows).shape[1])
    if options.init is not None:
        initialise_encoder(network, options.init)
    data = LabelledImages(images, label_matrix(rows))
    run = _open_run(options)
    run.describe(recipe, rows)
    trained = finetune(recipe, network, data, run, torch.device(options.device))
    if trained is None:
        return False
    if recipe.refit_head is not None:
        plain = pack([row.file for row in rows], InputContract(recipe.image_size_px), options.cache)
        refit_head(trained, plain, label_matrix(rows), inverse_penalty=recipe.refit_head)
    save(trained, options.out / NETWORK)
    return True


def _export(options: argparse.Namespace) -> bool:
    recipe = _recipe(options, "EXPORT", ExportRecipe)
    classifier, autoencoder = load(options.finetuned / NETWORK), load(options.pretrained / NETWORK)
    if not isinstance(classifier, VitClassifier) or not isinstance(autoencoder, MaskedAutoencoder):
        raise ValueError("a bundle needs a vision transformer that classifies and a masked autoencoder")  # noqa: TRY004  # a mistake of the caller's, said in one line
    material = Material(
        held_out=_labelled(options, "val"),
        pretraining=Run(options.pretrained).description(),
        finetuning=Run(options.finetuned).description(),
    )
    manifest = export(recipe, Networks(classifier.eval(), autoencoder.eval()), material, options.out)
    print(f"{manifest.name} {manifest.version}: {options.out}")
    return True


def _bench(options: argparse.Namespace) -> bool:
    return bench.run(options.out)
