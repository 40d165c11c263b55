"""A run on disk: checkpoints that continue exactly, one JSON line a step, and the same for TensorBoard."""

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from models.errors import CheckpointError
from training.data.dataset import Row
from training.description import DESCRIPTION, NETWORK, described, differences
from training.recipes.types import Recipe

CHECKPOINT, LOG, IMAGES = "checkpoint.pt", "log.jsonl", "images.json"
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

    @property
    def is_done(self) -> bool:
        """Whether the network is there that a run leaves, and its checkpoint was removed, as the larger file."""
        return (self.folder / NETWORK).exists() and not (self.folder / CHECKPOINT).exists()

    def load(self) -> dict[str, Any] | None:
        """The state saved last, or None for a fresh run; lines of the log that it does not know are cut off.

        Of a run that ended before its first checkpoint the log is removed.

        Raises:
            CheckpointError: the file is cut short, or no checkpoint of a run.
        """
        path = self.folder / CHECKPOINT
        if not path.exists():
            if self._is_writer and not self.is_begun:
                for log in (self.folder / LOG, *self.folder.glob("events.out.tfevents.*")):
                    log.unlink(missing_ok=True)
            return None
        state = read_state(path)
        if not isinstance(state.get("step"), int):
            raise _damaged(path)
        if self._is_writer and (log := self.folder / LOG).exists():
            known = [line for line in log.read_text().splitlines() if _step_of(line) <= state["step"]]
            log.write_text("".join(f"{line}\n" for line in known))
        return state

    def describe(self, recipe: Recipe, rows: Sequence[Row], start: Path | None = None) -> None:
        """Write `run.json`: the recipe as run, overrides included, what it was run on and what it started from.

        Where a run goes on, the file stays as it was.

        Raises:
            ValueError: there is a checkpoint or a finished network, and it was made by another recipe, on other images
                or from another start.
        """
        description = described(recipe, rows, start)
        self._files = [str(row.file) for row in rows]
        if self.is_begun:
            if changed := differences(self.description(), description):
                raise ValueError(f"{self.folder} cannot go on, it was begun otherwise: {'; '.join(changed)}")
        elif self._is_writer:
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


def _step_of(line: str) -> int:
    """Of one line of the log; a line that a kill cut short belongs to no checkpoint."""
    try:
        return int(json.loads(line)["step"])
    except json.JSONDecodeError:
        return 2**63


def read_state(path: Path) -> dict[str, Any]:
    """What a run saved of itself, on the CPU.

    Raises:
        CheckpointError: the file is cut short, or of another kind; the message names it.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a broken file makes the unpickler raise whatever it stumbles over
        raise _damaged(path) from error
    if not isinstance(state, dict):
        raise _damaged(path)
    return state


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged, or no file of a run: put a whole copy in its place, or begin anew in another folder"
    )
