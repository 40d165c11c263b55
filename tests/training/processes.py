"""Commands of `training` as processes of their own, without each paying ten seconds of imports.

A server process imports once and forks: what it forks is a fresh process, with one thread, that can be killed.
"""

import contextlib
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from training.commands.main import main

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["tests.training.processes", "training.commands.pretrain", "training.commands.finetune"]
)


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


def run_together(world: int, arguments: list[str], output: Path) -> list[int]:
    """A command in several processes that find each other as those of one `torchrun` do; gives their statuses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    members = [
        start(arguments, output.with_suffix(f".{rank}.txt"), partial(_join, rank, world, port)) for rank in range(world)
    ]
    return [finish(member) for member in members]


def _join(rank: int, world: int, port: int) -> None:
    os.environ.update(  # noqa: TID251  # what torchrun tells its processes
        {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0",
            "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test",
        }
    )  # fmt: skip


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
