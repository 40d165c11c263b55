"""The command line: `python -m service <command>`.

Exit status: 0 when all went well, 1 when a file or a bundle has a problem, 2 when the command could not do its work,
130 when it was interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from models.errors import InvalidBundleError
from service.commands import anomaly_map, batch, bundle, calibrate, predict, purge, serve, worker
from service.prctl import close_to_others
from service.settings import Settings, misspelt, variable_of
from service.version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status.
    """
    close_to_others()  # first of all: decoders of another process of ours may be at work already
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Findings and anomaly maps from frontal chest radiographs. For research use only.",
        epilog="Settings are read from THORASCOPE_* variables (docs/settings.md).",
    )
    parser.add_argument("--version", action="version", version=f"thorascope {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (predict, anomaly_map, batch, serve, worker, purge, bundle, calibrate):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_input=False):
            print(f"thorascope: {_variable(str(entry['loc'][0]))}: {entry['msg']}", file=sys.stderr)
        return 2
    for stranger, resembled in misspelt().items():
        hint = f"; did you mean {resembled}?" if resembled else ", and is ignored"
        print(f"thorascope: {stranger} is no setting{hint}", file=sys.stderr)
    try:
        status: int = options.run(options, settings)
    except InvalidBundleError as error:
        print(f"thorascope: the bundle cannot be served: {error}", file=sys.stderr)
        print("thorascope: THORASCOPE_BUNDLE_DIR names another; `python -m training export` makes one", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has seen enough; nothing may be written to it at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _variable(name: str) -> str:
    """The environment variable of a field, or an alias, which is a variable already."""
    return name if name.isupper() else variable_of(name)


if __name__ == "__main__":
    sys.exit(main())
