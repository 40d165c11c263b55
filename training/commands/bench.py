"""`bench`: measure what docs/performance.md states."""

import argparse
from pathlib import Path

from training import bench

NAME = "bench"
HELP = "what docs/performance.md states; writes bench.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the numbers go."""
    parser.add_argument("--out", type=Path, default=Path("bench.json"))


def run(options: argparse.Namespace) -> bool:
    """Print a table; False where a goal is missed."""
    return bench.run(options.out)
