"""`bench`: measure what docs/performance.md states."""

import argparse
from pathlib import Path

from training import bench


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the numbers go."""
    parser.add_argument("--out", type=Path, default=Path("bench.json"))


def run(options: argparse.Namespace) -> bool:
    """Print a table; False where a goal is missed."""
    return bench.run(options.out)
