"""`twin`: a synthetic data set with the files and folders of a public one."""

import argparse
from pathlib import Path

from training.data.catalogue import NAMES
from training.data.twins import write_twin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which data set, where, how large."""
    parser.add_argument("name", choices=NAMES, help="which data set")
    parser.add_argument("--out", type=Path, required=True, help="folder, new or empty")
    parser.add_argument("--num", type=int, default=96, help="pictures")
    parser.add_argument("--seed", type=int, default=0, help="the same one gives the same files")


def run(options: argparse.Namespace) -> bool:
    """Write the twin, or raise."""
    write_twin(options.name, options.out, num=options.num, seed=options.seed)
    print(f"{options.name}: {options.out}")
    return True
