"""The command line: `python -m service <command>`.

Exit status: 0 when all went well, 1 when a file or a bundle has a problem, 2 when the command could not do its work.
"""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from models.errors import InvalidBundleError
from service.commands import anomaly_map, bundle, predict, serve
from service.settings import Settings
from service.version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Findings and anomaly maps from frontal chest radiographs. For research use only.",
        epilog="Settings are read from THORASCOPE_* variables (docs/settings.md).",
    )
    parser.add_argument("--version", action="version", version=f"thorascope {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (predict, anomaly_map, serve, bundle):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options, Settings())
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_input=False):
            print(f"thorascope: setting {'.'.join(map(str, entry['loc']))}: {entry['msg']}", file=sys.stderr)
        return 2
    except InvalidBundleError as error:
        print(f"thorascope: the bundle cannot be served: {error}", file=sys.stderr)
        print("thorascope: THORASCOPE_BUNDLE_DIR names another; `python -m training export` makes one", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
