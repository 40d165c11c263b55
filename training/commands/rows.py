"""Rows of a manifest that a command may use."""

import argparse
from pathlib import Path

from models.labels import CHESTXRAY14
from training.data.dataset import Row, without_patients_of
from training.data.manifest import read_manifest


def add_manifest_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that reads a manifest asks for."""
    parser.add_argument("--data", type=Path, required=True, help="manifest CSV; image paths are relative to it")
    parser.add_argument("--any-licence", action="store_true", help="also rows whose weights may not be shipped")


def permitted(options: argparse.Namespace, split: str) -> list[Row]:
    """Rows of a split (all rows where the manifest has no splits) that may be used."""
    rows = [row for row in read_manifest(options.data) if row.split in ("", split)]
    return [row for row in rows if row.may_ship or options.any_licence]


def labelled(options: argparse.Namespace, split: str) -> list[Row]:
    """Of these, the rows with all 14 labels."""
    return [row for row in permitted(options, split) if row.known == frozenset(CHESTXRAY14)]


def training_rows(options: argparse.Namespace) -> list[Row]:
    """Rows with complete labels; patients with a radiologist's box are kept for measuring localisation."""
    rows = labelled(options, "train")
    return without_patients_of(rows, [row for row in rows if row.has_box])
