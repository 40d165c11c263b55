"""`python -m service purge`: forgets jobs, with their uploads and results."""

import argparse
import sys
import time

from models.errors import ThorascopeError
from service.commands.job_runtime import shared_runtime
from service.jobs.build import JobParts
from service.settings import Settings

_DAY_S = 86400.0
_MANY = 1_000_000


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("purge", help="forget jobs and their files", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("jobs", nargs="*", default=[], metavar="JOB", help="these; default: what retention has let go")
    which.add_argument(
        "--older-than", type=float, metavar="DAYS", help="every job that ended so long ago; 0: all ended"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Purge.

    Returns:
        0, or 2 where a job is not known or the store is away.
    """
    try:
        with shared_runtime(settings, with_worker=False) as parts:
            parts.wait_for_redis()
            print(f"{_purge(options, parts)} jobs purged")
    except ThorascopeError as error:
        print(f"thorascope: {error}", file=sys.stderr)
        return 2
    return 0


def _purge(options: argparse.Namespace, parts: JobParts) -> int:
    if options.older_than is None and not options.jobs:
        return parts.reconciler.sweep()
    jobs: list[str] = options.jobs or parts.ledger.finished_before(time.time() - options.older_than * _DAY_S, _MANY)
    for job_id in jobs:
        parts.reconciler.purge(job_id)
    return len(jobs)
