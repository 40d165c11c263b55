"""Ratios of two ways to do the same, measured in turn, and the report they go into."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a ratio should keep: at most or at least a number; None where a ratio is only stated."""

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"

    def admits(self, ratio: float) -> bool:
        """Whether a ratio keeps it."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)


@dataclass(frozen=True, slots=True)
class Row:
    """One ratio: median over pairs measured in turn.

    Attributes:
        name: what is divided by what.
        batch: images a call.
        numerator_ms: median of the first.
        denominator_ms: median of the second.
        ratio: median of the pairwise ratios.
        goal: bound with its direction, as text.
        is_met: whether the ratio keeps it.
    """

    name: str
    batch: int
    numerator_ms: float
    denominator_ms: float
    ratio: float
    goal: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """One number that stands alone.

    Attributes:
        name: what was measured.
        value: in `unit`.
        unit: of the value.
    """

    name: str
    value: float
    unit: str


def compare(
    name: str, batch: int, first: Callable[[], object], second: Callable[[], object], *, goal: Goal, repeats: int = 15
) -> Row:
    """Time two calls in turn, so that a drift of the machine meets both; the first pair warms up."""
    times = []
    for _ in range(repeats + 1):
        pair = []
        for call in (first, second):
            begin = time.perf_counter()
            call()
            pair.append(time.perf_counter() - begin)
        times.append(pair)
    pairs = np.array(times[1:])
    ratio = float(np.median(pairs[:, 0] / pairs[:, 1]))
    medians = np.median(pairs, axis=0) * 1000
    return Row(name, batch, float(medians[0]), float(medians[1]), ratio, str(goal), goal.admits(ratio))


def machine() -> dict[str, object]:
    """Where the numbers come from."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "onnxruntime": metadata.version("onnxruntime"),
        "torch": torch.__version__,
    }


def show(rows: Sequence[Row], facts: Sequence[Fact]) -> None:
    """Print both as tables."""
    if rows:
        print(f"{'ratio':>7}  {'goal':<14} {'batch':>5} {'ms':>9} {'ms':>9}  what")
    for row in rows:
        verdict = "" if row.is_met else "  MISSED"
        print(
            f"{row.ratio:7.2f}  {row.goal:<14} {row.batch:5d} {row.numerator_ms:9.2f} {row.denominator_ms:9.2f}  "
            f"{row.name}{verdict}"
        )
    for fact in facts:
        print(f"{fact.value:14,.4g} {fact.unit:<12} {fact.name}")


def report(where: Mapping[str, object], rows: Sequence[Row], facts: Sequence[Fact]) -> str:
    """The text of `bench.json`."""
    content = {"machine": where, "rows": [asdict(row) for row in rows], "facts": [asdict(fact) for fact in facts]}
    return json.dumps(content, indent=2) + "\n"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
