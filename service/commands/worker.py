"""`python -m service worker`: scores what the queue brings, until told to stop."""

import argparse
import os
import sys

from models.errors import StoreUnavailableError
from service.inference.build import build_batch_engine
from service.jobs.build import build_job_parts
from service.jobs.job import Lane
from service.prctl import die_with_parent
from service.settings import Settings
from service.telemetry import configure_logging
from service.worker.process import WorkerProcess


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("worker", help="a worker of the queue", description=__doc__)
    parser.add_argument(
        "--lanes",
        nargs="+",
        default=list(Lane),
        choices=[str(lane) for lane in Lane],
        metavar="LANE",
        help="interactive, bulk, or both (the default); the first has precedence",
    )
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="run at lower priority, 0 to 19")
    parser.add_argument("--parent", type=int, metavar="PID", help="end with this process, which has started the worker")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Work until SIGINT or SIGTERM.

    Returns:
        0 after such a signal, 2 where Redis or the upload store cannot be reached.
    """
    if options.parent is not None:
        die_with_parent(options.parent)
    os.nice(options.nice)
    configure_logging(settings.log_level)
    try:
        parts = build_job_parts(settings)
        parts.wait_for_redis()
    except StoreUnavailableError as error:
        print(f"thorascope: {error}", file=sys.stderr)
        return 2
    return WorkerProcess(settings, parts, build_batch_engine(settings), [*map(Lane, options.lanes)]).run()
