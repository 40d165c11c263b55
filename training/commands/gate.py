"""`gate`: fit the input gate's network and measure it, source by source."""

import argparse
from pathlib import Path

from models.imaging.gate_network import dump
from training.data.manifest import read_manifest
from training.gate.examples import pool
from training.gate.fit import FitSettings
from training.gate.judge import fit_and_cross_fit, judge
from training.gate.pictures import chests, drawn, others
from training.gate.report import report_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Radiographs, other pictures, and where the weights go."""
    parser.add_argument("--data", type=Path, required=True, help="manifest CSV of frontal radiographs")
    parser.add_argument(
        "--negatives", type=Path, required=True, help="other pictures: tuning/SOURCE/... and test/SOURCE/..."
    )
    parser.add_argument("--out", type=Path, help="write the weights (.npz, and .json beside it)")
    parser.add_argument("--drawn", type=int, default=150, help="drawn pictures of each kind")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> bool:
    """Fit on tuning pictures, fix the thresholds, then open the test pictures; print tables."""
    rows = read_manifest(options.data)
    tuning = [*chests(row for row in rows if row.may_ship), *drawn(options.seed, options.drawn)]
    tuning += others(options.negatives / "tuning", is_tuning=True)
    fitted = fit_and_cross_fit(pool(tuning, options.seed), FitSettings(seed=options.seed))
    network = fitted.network
    print(
        f"thresholds, from tuning: reject_below {network.reject_below:.4f}, "
        f"reject_coloured_below {network.reject_coloured_below:.4f}, turn_margin {network.turn_margin:.4f}"
    )
    if options.out is not None:
        sources = sorted({picture.source for picture in tuning})
        dump(network, {"seed": options.seed, "fitted_on": {"pictures": len(tuning), "sources": sources}}, options.out)
    print(
        "",
        *report_lines(
            tuning, fitted.left_out, network, title="Tuning sources, each by a network that saw none of its group"
        ),
        sep="\n",
    )
    test = [*chests(row for row in rows if not row.may_ship), *others(options.negatives / "test", is_tuning=False)]
    print("", *report_lines(test, judge(network, test), network, title="Test sources, never used for tuning"), sep="\n")
    return True
