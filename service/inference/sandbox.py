"""What a decoder process gives up before it sees the first untrusted byte."""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

from service.inference.seccomp import install_filter

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What could be put in place; a system that lacks a means decodes without it."""

    dies_with_parent: bool
    memory_limited: bool
    network_denied: bool


def enter_sandbox(*, parent_pid: int, memory_bytes: int) -> Sandbox:
    """Bind this process to its parent's life, limit its memory, and take files, core dumps and the network from it.

    Leaves the process if the parent is gone already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets running requests finish
    dies_with_parent = _die_with_parent(parent_pid)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return Sandbox(
        dies_with_parent=dies_with_parent, memory_limited=_limit_memory(memory_bytes), network_denied=install_filter()
    )


def allow_cpu_s(seconds: int) -> None:
    """Give this process `seconds` of CPU time from now on; beyond, SIGXCPU ends it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(usage.ru_utime + usage.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _die_with_parent(parent_pid: int) -> bool:
    if sys.platform != "linux":
        return False
    bound: bool = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0
    if os.getppid() != parent_pid:  # it died before the call above
        raise SystemExit(1)
    return bound


def _limit_memory(memory_bytes: int) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    except (ValueError, OSError):  # macOS
        return False
    return True
