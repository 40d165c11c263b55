"""A command as the command line runs it, without the process."""

import argparse
import importlib


def run(name: str, *arguments: object) -> bool:
    """Parse and run; what it prints is the caller's to capture."""
    module = importlib.import_module(f"training.commands.{name}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    done: bool = module.run(parser.parse_args([str(argument) for argument in arguments]))
    return done
