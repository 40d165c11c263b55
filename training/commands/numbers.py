"""Numbers on the command line: their kinds, those of the bootstrap, and the file that all measured ones go to."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from training.evaluation.report_json import Json


def add_bootstrap_arguments(parser: argparse.ArgumentParser) -> None:
    """How intervals are drawn."""
    parser.add_argument("--resamples", type=positive, default=1000, metavar="N", help="bootstrap draws of patients")
    parser.add_argument("--seed", type=count, default=0, help="of the bootstrap")


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Where every number goes."""
    parser.add_argument("--json", type=_new_file, metavar="FILE", help="write every number there, unrounded")


def write_json(content: Mapping[str, Json], path: Path) -> None:
    """Every number unrounded; undefined ones are `null`."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _new_file(text: str) -> Path:
    """A file in a folder that is there: told before an hour of measuring, not after it."""
    path = Path(text)
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def positive(text: str) -> int:
    """A whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def count(text: str) -> int:
    """A whole number that is not negative."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value
