"""A run on disk: checkpoints that continue exactly, one JSON line a step, and the same for TensorBoard."""

import hashlib
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
from torch.utils.tensorboard import SummaryWriter

from training.data.dataset import Row
from training.recipes.types import Recipe

CHECKPOINT, LOG, DESCRIPTION, IMAGES = "checkpoint.pt", "log.jsonl", "run.json", "images.json"
NETWORK = "network.safetensors"  # once it is done
_NAMED = 5  # images that a message names


class Run:
    """A run's folder: `checkpoint.pt` (network, optimizer, step), `log.jsonl`, `run.json`, TensorBoard's events.

    A checkpoint is due every `interval_s` seconds and once SIGTERM has come; it is written beside the old one and
    renamed over it, so a kill at any moment, or a full disk, leaves a whole file.

    Args:
        folder: made if needed.
        interval_s: between checkpoints.
        is_writer: whether this process writes; of a distributed run only the first does.
        has_board: whether TensorBoard's events are written, too.
    """

    def __init__(
        self, folder: Path, *, interval_s: float = 120.0, is_writer: bool = True, has_board: bool = False
    ) -> None:
        self.folder = folder
        self.interval_s = interval_s
        self.stopping = False
        self._is_writer = is_writer
        self._has_board = has_board
        self._board: SummaryWriter | None = None
        self._files: list[str] = []
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
        """Write `checkpoint.pt` atomically.

        Raises:
            OSError: it cannot be written, as on a full disk; the checkpoint saved before is still there, whole.
        """
        self._saved_at = time.monotonic()
        if not self._is_writer:
            return
        partial = self.folder / f"{CHECKPOINT}.partial"
        try:
            with partial.open("wb") as stream:
                torch.save(dict(state), stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.rename(self.folder / CHECKPOINT)
        except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError of its own
            partial.unlink(missing_ok=True)
            kept = "the one saved before is intact" if (self.folder / CHECKPOINT).exists() else "there was none before"
            raise OSError(f"{self.folder / CHECKPOINT} could not be written ({error}); {kept}") from error

    @property
    def is_begun(self) -> bool:
        """Whether the folder holds a checkpoint, or the network that a run leaves at its end."""
        return any((self.folder / name).exists() for name in (CHECKPOINT, NETWORK))

    def load(self) -> dict[str, Any] | None:
        """The state saved last, or None for a fresh run; lines of the log that it does not know are cut off."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if self._is_writer and (log := self.folder / LOG).exists():
            known = [line for line in log.read_text().splitlines() if _step_of(line) <= state["step"]]
            log.write_text("".join(f"{line}\n" for line in known))
        return state

    def describe(self, recipe: Recipe, rows: Sequence[Row], start: Path | None = None) -> None:
        """Write `run.json`: the recipe as run, overrides included, what it was run on and what it started from.

        Raises:
            ValueError: there is a checkpoint or a finished network, and it was made by another recipe, on other images
                or from another start.
        """
        description = described(recipe, rows, start)
        if self.is_begun and (changed := _differences(self.description(), description)):
            raise ValueError(f"{self.folder} cannot go on, it was begun otherwise: {'; '.join(changed)}")
        self._files = [str(row.file) for row in rows]
        if self._is_writer:
            (self.folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")

    def report_images(self, rows: Sequence[int]) -> str:
        """Which images these are, in words; all of them go into `images.json`."""
        names = [self._files[row] if self._files else f"row {row}" for row in rows]
        if self._is_writer:
            (self.folder / IMAGES).write_text(json.dumps(names, indent=2) + "\n")
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"{', '.join(names[:_NAMED])}{more}, listed in {self.folder / IMAGES}"

    def description(self) -> dict[str, Any]:
        """What `describe` wrote.

        Raises:
            ValueError: this folder is not that of a run.
        """
        try:
            description: dict[str, Any] = json.loads((self.folder / DESCRIPTION).read_text())
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise ValueError(f"{self.folder} holds no run.json: not the folder of a run") from error
        return description

    def log(self, lines: Sequence[Mapping[str, float]]) -> None:
        """Append one JSON line for each; every one has its `step`."""
        if not self._is_writer:
            return
        with (self.folder / LOG).open("a") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)
        if self._has_board:
            self._board = self._board or SummaryWriter(str(self.folder))
            for line in lines:
                for name, value in line.items():
                    if name != "step":
                        self._board.add_scalar(name, value, int(line["step"]))

    def close(self) -> None:
        """Write out what TensorBoard still holds back."""
        if self._board is not None:
            self._board.close()


def described(recipe: Recipe, rows: Sequence[Row], start: Path | None = None) -> dict[str, Any]:
    """What `run.json` says of a recipe, overrides included, of what it is run on, and of the checkpoint it starts from.

    `start` is None for random weights; else the checkpoint's hash, and what the `run.json` beside it says.
    """
    sources = dict(sorted(Counter(row.source or "unnamed" for row in rows).items()))
    content = {"recipe": asdict(recipe), "num_images": len(rows), "sources": sources, "start": _described_start(start)}
    description: dict[str, Any] = json.loads(json.dumps(content, default=str))
    return description


def _described_start(start: Path | None) -> dict[str, Any] | None:
    if start is None:
        return None
    beside = start.parent / DESCRIPTION
    run = json.loads(beside.read_text()) if start.name == NETWORK and beside.exists() else None
    return {"sha256": hashlib.sha256(start.read_bytes()).hexdigest(), "run": run}


def _step_of(line: str) -> int:
    """Of one line of the log; a line that a kill cut short belongs to no checkpoint."""
    try:
        return int(json.loads(line)["step"])
    except json.JSONDecodeError:
        return 2**63


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Values that are not what they were, by their path."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{path}{name}.")
        elif old != new:
            found.append(f"{path}{name} was {old}, is {new}")
    return found
