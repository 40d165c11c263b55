"""Pre-training learns, and an interruption leaves no trace in the losses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.tiny import PRETRAIN, lasting, phantoms
from training.loop import batches
from training.pretrain import pretrain
from training.run import Run

CPU = torch.device("cpu")


class _StopAfter(Run):
    """A run that is told to stop after a number of steps, as SIGTERM would."""

    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(folder)
        self._steps = steps

    def log(self, **values):
        super().log(**values)
        self.stopping = values["step"] >= self._steps


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_loss_falls(tmp_path):
    """Phantoms are alike: even a few steps paint better than the start."""
    pretrain(lasting(PRETRAIN, 8), phantoms(16), Run(tmp_path), CPU)

    values = losses(tmp_path)
    assert 32 == len(values)
    assert np.mean(values[-8:]) < 0.8 * np.mean(values[:8])


def test_an_interrupted_run_goes_on_with_the_same_losses(tmp_path):
    """Bit for bit: weights, moments, order, crops, masks and learning rate all continue."""
    images = phantoms(16)
    pretrain(PRETRAIN, images, Run(tmp_path / "whole"), CPU)

    assert pretrain(PRETRAIN, images, _StopAfter(tmp_path / "parts", 5), CPU) is None
    network = pretrain(PRETRAIN, images, Run(tmp_path / "parts"), CPU)

    assert network is not None
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(tmp_path, monkeypatch):
    """Better no weights than broken ones."""
    monkeypatch.setattr("training.pretrain.train_step", lambda *_: float("nan"))

    with pytest.raises(FloatingPointError, match="step 0, images"):
        pretrain(PRETRAIN, phantoms(8), Run(tmp_path), CPU)


def test_batches__visit_every_image_once_an_epoch():
    """Up to the incomplete last batch, in an order of its own each epoch."""
    first, second = np.array(list(batches(10, 3, 0, 0, 6))).reshape(2, 9)

    assert 9 == len(set(first.tolist()))
    assert 9 == len(set(second.tolist()))
    assert first.tolist() != second.tolist()


def test_batches__from_the_middle_are_the_tail_of_all():
    """What resuming relies on."""
    whole = [rows.tolist() for rows in batches(10, 3, 0, 0, 9)]

    assert whole[4:] == [rows.tolist() for rows in batches(10, 3, 0, 4, 9)]
