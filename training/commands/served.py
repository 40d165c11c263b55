"""The bundle and the rows of a command that looks at what is served; a checkpoint has no calibration and no maps."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.runtime.bundle import MANIFEST_NAME
from training.commands.numbers import count, positive
from training.data.catalogue import NAMES, open_dataset
from training.data.dataset import SPLITS, DataError, Dataset, Row


def add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    """Which bundle, with how many threads."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of a bundle")
    parser.add_argument("--threads", type=count, default=0, metavar="N", help="of ONNX Runtime; 0: all cores")


def add_data_arguments(parser: argparse.ArgumentParser, *, is_needed: bool = True) -> None:
    """Which data."""
    parser.add_argument("--data", type=Path, required=is_needed, help="manifest CSV, or the root of --dataset")
    parser.add_argument("--dataset", choices=NAMES, default="manifest", help="how --data is read")


def add_row_arguments(parser: argparse.ArgumentParser) -> None:
    """Which rows of the data."""
    parser.add_argument("--split", choices=SPLITS, default="val", help="rows that are used (all, where unsplit)")
    parser.add_argument("--complete", action="store_true", help="only rows with a known label for every finding")
    parser.add_argument("--limit", type=positive, metavar="N", help="so many images, evenly spread over the rows")


def bundle_folder(folder: Path) -> Path:
    """The folder, where it is that of a bundle.

    Raises:
        ValueError: it holds no manifest.
    """
    if not (folder / MANIFEST_NAME).is_file():
        raise ValueError(f"{folder} holds no {MANIFEST_NAME}: not the folder of a bundle")
    return folder


def findings_of(options: argparse.Namespace) -> Dataset:
    """The data set of the command line.

    Raises:
        DataError: it has exclusive classes.
    """
    dataset = open_dataset(options.dataset, options.data)
    if dataset.is_exclusive:
        raise DataError(f"{dataset.name} has classes instead of findings")
    return dataset


def rows_of(
    dataset: Dataset, split: str, wanted: Sequence[str], limit: int | None, *, any_licence: bool = True
) -> list[Row]:
    """Rows of a split that know all of some findings, thinned evenly down to a limit.

    Args:
        dataset: that they are of.
        split: its name.
        wanted: findings that have to be known.
        limit: None for all rows.
        any_licence: False leaves out rows that may not feed what is shipped.

    Raises:
        DataError: there are none.
    """
    kept = [row for row in dataset.split(split) if frozenset(wanted) <= row.known and (any_licence or row.may_ship)]
    if not kept:
        raise DataError(f"{dataset.name} has no rows of split {split} with the labels that are needed")
    if limit is None or limit >= len(kept):
        return kept
    return [kept[place * len(kept) // limit] for place in range(limit)]
