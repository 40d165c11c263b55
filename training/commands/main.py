"""The command line of `training`: one module a command, each with its arguments and what it calls."""

import argparse

import torch

from models.errors import ThorascopeError
from training.commands import bench, export, finetune, pretrain

# Each has NAME and HELP, add_arguments(parser) and run(options) -> bool, True when all was done.
COMMANDS = (pretrain, finetune, export, bench)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it is done, 1 where it was told to stop early, 2 for bad arguments or input."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in COMMANDS:
        command = commands.add_parser(module.NAME, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    torch.set_flush_denormal(True)
    try:
        done: bool = options.run(options)
    except (ThorascopeError, ValueError, FileNotFoundError) as error:
        print(f"training {options.command}: {error}")
        return 2
    return 0 if done else 1
