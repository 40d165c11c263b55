"""The parent's side of one decoder process."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Self

from service.inference.wire import receive_frame, send_frame
from service.settings import startup_environment

# One thread each: processes share out the cores, and an OpenMP pool in every one of them would fight over those.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LEAVE_S = 0.2


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one file may cost.

    Attributes:
        wall_s: kept by the parent, which kills the process.
        cpu_s: kept by the kernel, which does the same.
        memory_bytes: address space of a decoder process, its libraries included.
        upload_bytes: largest file.
        start_s: time for a process to start and import its decoders.
        take_s: time in which a process has to be had; a lost one is replaced in less, where the machine has room.
    """

    wall_s: float = 30.0
    cpu_s: int = 20
    memory_bytes: int = 3 * 2**30
    upload_bytes: int = 64 * 2**20
    start_s: float = 120.0
    take_s: float = 10.0


class DecodeWorker:
    """One decoder process; used by one thread at a time.

    Attributes:
        num_files: files it was given.
        sandbox: what the process says it could give up.
    """

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket, limits: DecodeLimits) -> None:
        self._process = process
        self._connection = connection
        self._limits = limits
        self.num_files = 0
        self.sandbox: dict[str, bool] = {}

    @classmethod
    def start(cls, limits: DecodeLimits, decoder: str) -> Self:
        """Start a process; it is of use once `wait_until_ready` returns.

        Args:
            decoder: "module:function" with the signature of `service.inference.upload.decode_upload`.

        Raises:
            OSError: no process can be made.
        """
        ours, theirs = socket.socketpair()
        setup = {
            "descriptor": theirs.fileno(),
            "parent_pid": os.getpid(),
            "decoder": decoder,
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_s,
            "limit_bytes": limits.upload_bytes,
        }
        with theirs:
            process = subprocess.Popen(  # noqa: S603 our own interpreter and module; untrusted bytes go over the socket
                [sys.executable, "-P", "-m", "service.inference.decode_child", json.dumps(setup)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # warnings of decoders quote headers
                pass_fds=[theirs.fileno()],
                env=_environment(),
                start_new_session=True,
            )
        return cls(process, ours, limits)

    def wait_until_ready(self) -> None:
        """Wait until the process has imported everything; where it does not come up, end it.

        Raises:
            TimeoutError, BrokenWireError: it does not come up.
        """
        deadline = time.monotonic() + self._limits.start_s
        try:
            header, _ = receive_frame(self._connection, limit_bytes=0, deadline=deadline)
        except BaseException:
            self.close()
            raise
        self.sandbox = dict(header["ready"])

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def ask(
        self, header: dict[str, Any], content: bytes, *, reply_limit_bytes: int
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Give the process one file and wait for its answer.

        Raises:
            TimeoutError: it takes longer than the limit.
            BrokenWireError: it dies, or answers what is no answer. After either it must be closed.
        """
        self.num_files += 1
        deadline = time.monotonic() + self._limits.wall_s
        send_frame(self._connection, header, [content], deadline=deadline)
        return receive_frame(self._connection, limit_bytes=reply_limit_bytes, deadline=deadline)

    def close(self) -> int:
        """End the process: it leaves by itself when its socket closes, else it is killed.

        Returns:
            Its exit status; negative: the signal that ended it.
        """
        self._connection.close()
        try:
            return self._process.wait(timeout=_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _environment() -> dict[str, str]:
    """A child's whole environment: where to find code, and how many threads to use."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 a string is wanted
    threads = dict.fromkeys(_THREAD_VARIABLES, "1")
    return {**startup_environment(), **threads, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
