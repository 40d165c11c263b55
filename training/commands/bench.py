"""`bench`: measure what docs/performance.md states."""

import argparse
from pathlib import Path

from training.benchmarks import gpu, maps, steps
from training.benchmarks.ratio import Fact, Row, machine, report, show

PARTS = ("maps", "steps", "gpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is measured, and where the numbers go."""
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--only", choices=PARTS, help="one part; without it, all that this machine has")


def run(options: argparse.Namespace) -> bool:
    """Print a table; False where a goal is missed."""
    parts = PARTS if options.only is None else (options.only,)
    rows: list[Row] = []
    facts: list[Fact] = []
    if "maps" in parts:
        rows += maps.measure()
    if "steps" in parts:
        more_rows, more_facts = steps.measure()
        rows, facts = rows + more_rows, facts + more_facts
    if "gpu" in parts:
        facts += gpu.measure_cuda()
    where = machine()
    print(", ".join(f"{key}: {value}" for key, value in where.items()))
    show(rows, facts)
    options.out.write_text(report(where, rows, facts))
    return all(row.is_met for row in rows)
