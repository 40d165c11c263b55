"""Data at hand, and rows of a manifest that a command may use."""

import argparse
from pathlib import Path

from models.labels import CHESTXRAY14
from training.data.catalogue import find_roots
from training.data.dataset import Row
from training.data.manifest import read_folder
from training.material import Sources


def add_manifest_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that reads a manifest asks for."""
    parser.add_argument("--data", type=Path, required=True, help="manifest CSV; image paths are relative to it")
    parser.add_argument("--any-licence", action="store_true", help="also rows whose weights may not be shipped")


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that trains on a recipe's data sets asks for."""
    parser.add_argument("--data", type=Path, required=True, help="manifest CSV, or a folder with the data sets")
    parser.add_argument("--any-licence", action="store_true", help="also rows whose weights may not be shipped")


def sources_of(options: argparse.Namespace) -> Sources:
    """Where the recipe's data sets lie."""
    data: Path = options.data
    roots = {"manifest": data} if data.is_file() else find_roots(data)
    return Sources(roots, options.cache, options.any_licence)


def labelled(options: argparse.Namespace, split: str) -> list[Row]:
    """Rows of a split with all 14 labels (all such rows where the manifest has no splits) that may be used."""
    rows = read_folder(options.data).split(split)
    return [row for row in rows if (row.may_ship or options.any_licence) and row.known == frozenset(CHESTXRAY14)]
