"""How much memory a step takes at its peak: measured in a process of its own, whose peak nothing else has raised."""

import subprocess
import sys
from pathlib import Path

import pytest

_PEAK = Path("/proc/self/clear_refs")
_MEASURED = """
{before}
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # from now on the peak is what is there now: proc(5)
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
there = peak()
{step}
print(peak() - there)
"""

needs_proc = pytest.mark.skipif(not _PEAK.exists(), reason="needs Linux's /proc")


def peak_mb(before: str, step: str) -> float:
    """Mebibytes that a step adds to what is there before it, at its peak; both are Python source."""
    command = [sys.executable, "-c", _MEASURED.format(before=before, step=step)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603 the tests' own
    return int(done.stdout) / 1024
