"""Running training in tests: on the CPU, in this process, without TensorBoard."""

import json
from pathlib import Path

from lightning_fabric import Fabric

from training.data.packed import PackedImages
from training.engine import Engine
from training.run import Run

ENGINE = Engine()


def alone() -> Fabric:
    """One process on the CPU."""
    return ENGINE.launch()


def packed(images) -> PackedImages:
    """Images in memory as one part."""
    return PackedImages.joined([images])


def losses(folder: Path) -> list[float]:
    """Of every step, from the log."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


class StopAfter(Run):
    """A run that is told to stop after a number of steps, as SIGTERM would."""

    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(folder)
        self._steps = steps

    def log(self, lines):
        super().log(lines)
        self.stopping = lines[-1]["step"] >= self._steps
