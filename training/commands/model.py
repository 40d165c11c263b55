"""The model and the data of a command that measures."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from models.imaging.preprocess import Geometry
from training.commands.numbers import add_bootstrap_arguments, add_json_argument
from training.commands.served import add_data_arguments, bundle_folder
from training.data.catalogue import open_dataset
from training.data.dataset import Dataset
from training.engine import require_device
from training.evaluation.bundle_model import BundleModel
from training.evaluation.network_model import NetworkModel, Stated, open_checkpoint
from training.evaluation.report_json import Json
from training.recipes.types import Normalisation


def add_model_arguments(
    parser: argparse.ArgumentParser,
    help_of_model: str = "folder of a bundle, or a checkpoint",
    nargs: str | None = None,
) -> None:
    """What every command that measures a model asks for; with `nargs` models are a list."""
    parser.add_argument("model", type=Path, metavar="BUNDLE_OR_CHECKPOINT", nargs=nargs, help=help_of_model)
    add_data_arguments(parser)
    add_json_argument(parser)
    add_bootstrap_arguments(parser)
    group = parser.add_argument_group("checkpoints", "a bundle says these itself; so does a run.json beside the file")
    group.add_argument("--geometry", type=Geometry, choices=[*Geometry], help="how a picture is laid on the square")
    group.add_argument("--normalisation", choices=get_args(Normalisation), help="mean and deviation")
    group.add_argument("--heads", type=int, metavar="N", help="attention heads, where the file does not tell them")
    group.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured, for a heading.

    Attributes:
        model: opened.
        title: name and hash.
    """

    model: BundleModel | NetworkModel
    title: str

    def as_json(self) -> dict[str, Json]:
        """Name and hash, for the report."""
        return {"name": self.model.name, "sha256": self.model.sha256}


def data_of(options: argparse.Namespace) -> Dataset:
    """The data set of the command line."""
    return open_dataset(options.dataset, options.data)


def open_model(path: Path, options: argparse.Namespace, dataset: Dataset) -> Subject:
    """A bundle or a checkpoint.

    Raises:
        models.errors.ThorascopeError: it is a damaged one, or a file of another kind.
        ValueError: a folder that is no bundle, a network with another number of outputs than there are findings, or a
            CUDA device that is not there.
    """
    require_device(options.device)
    model: BundleModel | NetworkModel
    if path.is_dir():
        model = BundleModel(bundle_folder(path))
    else:
        stated = Stated(options.geometry, options.normalisation, options.heads)
        model = open_checkpoint(path, dataset, stated, options.device)
    return Subject(model, f"{model.name} (sha256 {(model.sha256 or 'unknown')[:12]})")
