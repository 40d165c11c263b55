"""`smoke`: a few steps of every recipe on synthetic data."""

import argparse
import tempfile
from pathlib import Path

from tqdm import tqdm

from training.engine import Engine
from training.evaluation.table import table
from training.reproduction.smoke import Smoked, every_row, kinds, laboratory, smoke


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much."""
    parser.add_argument("--kinds", action="store_true", help="one row of each kind instead of all rows of all tables")


def run(options: argparse.Namespace) -> bool:
    """Print a table; False where a row failed."""
    rows = kinds() if options.kinds else dict(every_row())
    with tempfile.TemporaryDirectory() as folder:
        workshop = laboratory(Path(folder), rows, Engine())
        smoked = [smoke(name, row, workshop) for name, row in tqdm(rows.items(), unit="row")]
    print(*table(("row", "seconds", "loss", "result"), [_cells(one) for one in smoked]), sep="\n")
    failed = sum(bool(one.failure) for one in smoked)
    print(f"{len(smoked)} rows, {failed} failed, {sum(one.seconds for one in smoked):.0f} s")
    return not failed


def _cells(one: Smoked) -> tuple[str, ...]:
    has_losses = one.first_loss is not None and one.last_loss is not None
    losses = f"{one.first_loss:.4f} -> {one.last_loss:.4f}" if has_losses else ""
    return one.name, f"{one.seconds:.1f}", losses, one.failure or "passed"
