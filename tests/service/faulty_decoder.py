"""A decoder that breaks on demand: its first bytes say how. Runs in decoder processes of tests."""

import ctypes
import os
import resource
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from models.errors import UnsupportedMediaError
from models.imaging.preprocess import ModelInput
from service.inference.upload import DecodedUpload, DecodeOrder, decode_upload

CANARY = "Canary^Patient"


def decode(content: bytes, order: DecodeOrder) -> DecodedUpload:
    """Do what the content names; anything else is decoded as usual."""
    misdeed = MISDEEDS.get(content)
    if content.startswith(b"parent/"):
        misdeed = partial(_look_into_parent, content.decode().removeprefix("parent/"))
    if misdeed is not None:
        misdeed()
        raise UnsupportedMediaError("survived")
    if content.startswith(b"other size"):
        result = decode_upload(content.removeprefix(b"other size"), order)
        wrong = replace(order.contract, side=order.contract.side - 1)
        smaller = ModelInput(np.zeros((wrong.side, wrong.side), np.uint8), wrong.place(8, 8))
        return replace(result, model_input=smaller)
    return decode_upload(content, order)


def _open_socket() -> None:
    try:
        socket.socket()
    except OSError as error:
        raise UnsupportedMediaError(f"refused: {error.errno}") from error


def _reach(act: Callable[[], object]) -> None:
    try:
        act()
    except OSError as error:
        raise UnsupportedMediaError(f"refused: {error.errno}") from error


def _look_into_parent(name: str) -> None:
    path = Path(f"/proc/{os.getppid()}/{name}")
    _reach(lambda: path.readlink() if name in {"cwd", "fd/0"} else path.open("rb").close())


def _limit_parent() -> None:
    resource.prlimit(os.getppid(), resource.RLIMIT_CORE)


def _write_file() -> None:
    path = Path(__file__).with_suffix(".written")
    try:
        path.write_bytes(b"x")
    except OSError as error:
        raise UnsupportedMediaError(f"refused: {error.errno}") from error
    finally:
        path.unlink(missing_ok=True)


def _run_program() -> None:
    try:
        os.execv("/bin/true", ["true"])  # noqa: S606 it is to fail
    except OSError as error:
        raise UnsupportedMediaError(f"refused: {error.errno}") from error


def _show_environment() -> None:
    raise UnsupportedMediaError(" ".join(sorted(os.environ)))  # noqa: TID251 the point of the test


def _spin() -> None:
    while True:
        pass


def _raise() -> None:
    raise ValueError(CANARY)


def _nap() -> None:
    time.sleep(0.5)


MISDEEDS: dict[bytes, Callable[[], object]] = {
    b"segfault": lambda: ctypes.string_at(0),
    b"exit": lambda: os._exit(3),
    b"hang": lambda: time.sleep(600),
    b"spin": _spin,
    b"hoard": lambda: bytearray(2**32),
    b"raise": _raise,
    b"socket": _open_socket,
    b"write": _write_file,
    b"program": _run_program,
    b"environment": _show_environment,
    b"abort": os.abort,
    b"signal": lambda: _reach(lambda: os.kill(os.getppid(), 0)),
    b"limits": lambda: _reach(_limit_parent),
    b"nap": _nap,
}
