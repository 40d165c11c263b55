"""Programs that end with the process that started them: `python -m service.jobs.bound PID PROGRAM ...`.

Linux sends a child the signal it asked for when its parent dies, and keeps the wish through `exec`. Elsewhere a program
may outlive a parent that was killed; the next start finds it by its socket and ends it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """End this process with its parent; at once, where that is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        raise SystemExit(1)


def bound_command(command: list[str]) -> list[str]:
    """The command, bound to this process; it must be started by a thread that lasts, for "parent" means the thread."""
    return [sys.executable, "-P", "-m", "service.jobs.bound", str(os.getpid()), *command]


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 the command is ours
