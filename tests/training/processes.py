"""Commands of `training` as processes of their own, without each paying ten seconds of imports.

A server process imports once and forks: what it forks is a fresh process, with one thread, that can be killed.
"""

import contextlib
import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from training.commands.main import main

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.training.processes", "training.commands.pretrain"])


def _command(arguments: list[str], output: Path, before: Callable[[], None]) -> None:
    torch.set_num_threads(1)  # sums are then the same however busy the machine is
    before()
    with output.open("w") as stream, contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        status = main(arguments)
    sys.exit(status)


def _nothing() -> None:
    """What happens before a command, usually."""


def start(arguments: list[str], output: Path, before: Callable[[], None] = _nothing) -> BaseProcess:
    """A command, running; what it prints goes into a file."""
    process = _CONTEXT.Process(target=_command, args=(arguments, output, before))
    process.start()
    return process


def run(arguments: list[str], output: Path, before: Callable[[], None] = _nothing) -> int:
    """A command, done; gives its exit status."""
    return finish(start(arguments, output, before))


def finish(process: BaseProcess) -> int:
    """Wait for a command; gives its exit status, minus the signal's number where one ended it."""
    process.join(timeout=120)
    if process.exitcode is None:
        process.kill()
        raise AssertionError("the command does not end")
    return process.exitcode


def wait_for(path: Path, lines: int) -> None:
    """Until a log has that many lines."""
    deadline = time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline, "the run does not get anywhere"
        time.sleep(0.005)
