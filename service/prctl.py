"""What a process asks of Linux for itself: to end with its parent, and to be closed to others."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def die_with_parent(parent_pid: int) -> bool:
    """End this process with its parent; at once, where that is gone already.

    Args:
        parent_pid: who has to be the parent.

    Returns:
        Whether the system can. Elsewhere a process may outlive a parent that was killed.
    """
    bound = _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the call above
        raise SystemExit(1)
    return bound


def close_to_others() -> bool:
    """Keep the memory, environment and open files of this process from others of its user; whether the system can.

    It lasts until the next `exec`: a program closes itself, as soon as it runs. Nothing is kept from root. Debuggers of
    the same user are shut out too, and no core is dumped.
    """
    return _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    is_done: bool = ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0
    return is_done
