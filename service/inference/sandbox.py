"""What a decoder process gives up before it sees the first untrusted byte.

What a decoder that a file has taken over can still do: read what its user can read, uploads and results of jobs in a
folder too; remove, rename or empty what that user can; start copies of itself; and reach into those processes of its
user that are not closed to others. Ours are, once they have started; the private Redis and strangers' are not. So the
service should run as a user of its own, and not as root, to whom nothing is closed.
"""

import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from service.inference.seccomp import install_filter
from service.prctl import close_to_others, die_with_parent


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What could be put in place; a system that lacks a means decodes without it."""

    dies_with_parent: bool
    memory_limited: bool
    network_denied: bool
    closed_to_others: bool


def enter_sandbox(*, parent_pid: int, memory_bytes: int) -> Sandbox:
    """Bind this process to its parent's life, limit its memory, close it to others.

    It can write nothing into files, and opens no network connection. Short of memory, the kernel ends it before others.

    Leaves the process if the parent is gone already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets running requests finish
    dies_with_parent = die_with_parent(parent_pid)
    _offer_to_memory_killer()  # before the process is closed: that takes this file from it, too
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return Sandbox(
        dies_with_parent=dies_with_parent,
        memory_limited=_limit_memory(memory_bytes),
        network_denied=install_filter(),
        closed_to_others=close_to_others(),
    )


def allow_cpu_s(seconds: int) -> None:
    """Give this process `seconds` of CPU time from now on; beyond, SIGXCPU ends it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(usage.ru_utime + usage.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _offer_to_memory_killer() -> None:
    with suppress(OSError):  # macOS
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _limit_memory(memory_bytes: int) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    except (ValueError, OSError):  # macOS
        return False
    return True
