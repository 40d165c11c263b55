"""A run on disk: checkpoints that continue exactly, and one JSON line a step."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from training.data.dataset import Row
from training.recipes.types import FinetuneRecipe, PretrainRecipe


class Run:
    """A run's folder: `checkpoint.pt` (network, optimizer, random state, step) and `log.jsonl`.

    A checkpoint is due every `interval_s` seconds and once SIGTERM has come; it is written beside the old one and
    renamed over it, so a kill at any moment leaves a whole file.
    """

    def __init__(self, folder: Path, *, interval_s: float = 120.0) -> None:
        self.folder = folder
        self.interval_s = interval_s
        self.stopping = False
        self._saved_at = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def stop_on_sigterm(self) -> None:
        """Finish the step in flight, save, and leave, instead of dying in the middle of it."""
        signal.signal(signal.SIGTERM, self._ask_to_stop)

    def _ask_to_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self.stopping = True

    @property
    def is_save_due(self) -> bool:
        """Whether enough time has passed, or the process is about to end."""
        return self.stopping or time.monotonic() - self._saved_at >= self.interval_s

    def save(self, state: Mapping[str, Any]) -> None:
        """Write `checkpoint.pt` atomically."""
        partial = self.folder / "checkpoint.partial"
        with partial.open("wb") as stream:
            torch.save(dict(state), stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(self.folder / "checkpoint.pt")
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The state saved last, or None for a fresh run."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state

    def describe(self, recipe: PretrainRecipe | FinetuneRecipe, rows: Sequence[Row]) -> None:
        """Write `run.json`: the recipe as run, overrides included, and what it was run on."""
        sources = dict(sorted(Counter(row.source or "unnamed" for row in rows).items()))
        description = {"recipe": asdict(recipe), "num_images": len(rows), "sources": sources}
        (self.folder / "run.json").write_text(json.dumps(description, indent=2, default=str) + "\n")

    def description(self) -> dict[str, Any]:
        """What `describe` wrote.

        Raises:
            ValueError: this folder is not that of a run.
        """
        try:
            description: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise ValueError(f"{self.folder} holds no run.json: not the folder of a run") from error
        return description

    def log(self, **values: float | str) -> None:
        """Append one JSON line."""
        with (self.folder / "log.jsonl").open("a") as stream:
            stream.write(json.dumps(values) + "\n")
