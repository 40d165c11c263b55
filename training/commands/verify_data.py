"""`verify-data`: count a data set, look at each of its files, and say what is wrong."""

import argparse
from pathlib import Path

from training.data.catalogue import NAMES, find_roots, open_dataset
from training.data.report_text import as_text
from training.data.verify import verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which data set, where it lies, and how closely to look."""
    parser.add_argument("name", choices=NAMES, help="which data set")
    parser.add_argument("--root", type=Path, required=True, help="its folder, or the folder of all data sets")
    parser.add_argument("--hash", action="store_true", help="also compare the contents of images with each other")
    parser.add_argument("--no-decode", action="store_true", help="do not decode the images")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def run(options: argparse.Namespace) -> bool:
    """Print the report; False where there are problems."""
    root = find_roots(options.root).get(options.name, options.root)
    report = verify(open_dataset(options.name, root), hash_images=options.hash, decode=not options.no_decode)
    print(report.as_json() if options.json else as_text(report))
    return not report.problems
