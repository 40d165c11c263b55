"""Numbers on the command line: their kinds, and those of the bootstrap."""

import argparse


def add_bootstrap_arguments(parser: argparse.ArgumentParser) -> None:
    """How intervals are drawn."""
    parser.add_argument("--resamples", type=positive, default=1000, metavar="N", help="bootstrap draws of patients")
    parser.add_argument("--seed", type=count, default=0, help="of the bootstrap")


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
