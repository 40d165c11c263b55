"""The loop: what it draws by, which is what drop path draws by."""

import torch
from lightning_fabric import Fabric

from tests.training.execution import ENGINE, StopAfter, alone, losses
from tests.training.tiny import PRETRAIN
from training.data.steps import CropDraw, Plan, Steps
from training.loop import Trainee, train
from training.run import Run


class Drawing(torch.nn.Module):
    """Its loss is a number that it draws."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, batch):
        return torch.rand(()) + self.weight * 0


class Second(Fabric):
    """The second of several processes, whose steps are its own here."""

    @property
    def global_rank(self) -> int:
        return 1


def drawn(run: Run, fabric: Fabric) -> list[float]:
    """By each of six steps."""
    network = Drawing()
    steps = Steps(Plan(8, 4, seed=0), CropDraw(None, num_patches=4))
    train(Trainee(network, network, torch.optim.SGD(network.parameters()), steps), PRETRAIN, run, ENGINE, fabric)
    return losses(run.folder)


def test_every_step_of_every_process_draws_anew(tmp_path):
    """A layer dropped for good would be none; dropped by all processes alike, a step would have but one network."""
    second = Second(accelerator="cpu", devices=1)
    second.launch()

    numbers = drawn(Run(tmp_path / "first"), alone()) + drawn(Run(tmp_path / "second"), second)

    assert 12 == len(numbers) == len(set(numbers))


def test_an_interrupted_run_goes_on_with_the_same_draws(tmp_path):
    """Also a network that drew more before the break, or less."""
    drawn(StopAfter(tmp_path / "parts", 3), alone())
    torch.rand(7)

    assert drawn(Run(tmp_path / "whole"), alone()) == drawn(Run(tmp_path / "parts"), alone())
