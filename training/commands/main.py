"""The command line of `training`: one module a command, loaded when it is called."""

import argparse
import importlib
import sys
from types import MappingProxyType

import torch

from models.errors import ThorascopeError

# Each is a module of this package (with _ for -) that has add_arguments(parser) and run(options) -> bool, True when all
# was done. Only the one that is called is imported: together they would cost a start ten seconds.
COMMANDS = MappingProxyType(
    {
        "pretrain": "self-supervised pre-training on every training image that may be used",
        "finetune": "a classifier on labelled images",
        "crossval": "classifiers by cross-validation over patients, their out-of-fold scores and their ensemble",
        "linprobe": "a linear head on a frozen trunk, with LARS",
        "probe": "a head over mean and spread of a frozen trunk's patches, solved",
        "evaluate": "how well a bundle or a checkpoint tells what is there, with intervals",
        "out-of-fold": "what scores out of fold are worth, and how far they lead another's",
        "localize": "how well Grad-CAM boxes meet radiologists' boxes, with controls",
        "stability": "how far a bundle's probabilities move under changes that mean nothing",
        "bundle": "quantize: int8 arithmetic for a bundle's classifier, if it costs next to nothing",
        "figures": "curves and pictures of a bundle: ROC, calibration, reconstructions, anomalies, Grad-CAM",
        "anomaly": "how well a bundle's anomaly map shows implanted and real anomalies, with controls",
        "reproduce": "a table or figure of the paper, as far as the data at hand allow",
        "smoke": "a few steps of every recipe on synthetic data",
        "export": "a bundle from a pre-trained and a fine-tuned network",
        "gate": "the input gate: fit its network and measure it, source by source",
        "verify-data": "count a data set, look at each of its files, and say what is wrong",
        "twin": "a small synthetic data set with the files and folders of a public one",
        "bench": "what docs/performance.md states; writes bench.json",
    }
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it is done, 1 where it was told to stop early, 2 for bad arguments or input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name in arguments[:1]:
            module = importlib.import_module(f"training.commands.{name.replace('-', '_')}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    torch.set_flush_denormal(True)
    try:
        done: bool = options.run(options)
    except (ThorascopeError, ValueError, OSError, FloatingPointError) as error:
        print(f"training {options.command}: {error}", file=sys.stderr)
        return 2
    return 0 if done else 1
