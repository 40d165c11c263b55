"""`python -m service bundle verify DIR`: would this bundle be served?"""

import argparse
import sys
from pathlib import Path

from models.runtime.bundle import load_manifest
from models.runtime.verify import verify
from service.settings import Settings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("bundle", help="check a bundle", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser("verify", help="check hashes and contracts, and run every graph once")
    action.add_argument("folder", type=Path, metavar="DIR")
    action.set_defaults(run=run)


def run(options: argparse.Namespace, _settings: Settings) -> int:
    """Check one bundle, optional files included.

    Returns:
        0 where it is sound, 1 where not; then standard error says all that is wrong.
    """
    if faults := verify(options.folder):
        for fault in faults:
            print(f"{options.folder}: {fault}", file=sys.stderr)
        return 1
    manifest, sha256 = load_manifest(options.folder)
    print(f"{options.folder}: {manifest.name} {manifest.version}, thresholds {manifest.thresholds.name}: sound")
    print(f"  threshold sets: {', '.join(manifest.threshold_names)}")
    print(f"  sha256 of the manifest: {sha256}")
    for name, entry in manifest.files.items():
        print(f"  {name:<28}{entry.bytes:>12} bytes")
    return 0
