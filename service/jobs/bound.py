"""Programs that end with the process that started them: `python -m service.jobs.bound PID PROGRAM ...`.

Linux sends a child the signal it asked for when its parent dies, and keeps the wish through `exec`. Elsewhere a program
may outlive a parent that was killed; the next start finds it by its socket and ends it.
"""

import os
import sys

from service.prctl import die_with_parent


def bound_command(command: list[str]) -> list[str]:
    """The command, bound to this process; it must be started by a thread that lasts, for "parent" means the thread."""
    return [sys.executable, "-P", "-m", "service.jobs.bound", str(os.getpid()), *command]


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 the command is ours
