"""Linear probing: the official steps, a trunk that stays as it is, a head that can be folded in."""

import numpy as np
import pytest
import torch

from tests import goldens
from tests.training.execution import ENGINE, StopAfter, alone, losses, packed
from tests.training.tiny import SIDE_PX, phantoms
from training.finetune import LabelledImages
from training.linprobe import LinearProbe, lars, linprobe
from training.objectives import masked_bce
from training.optim import set_learning_rate
from training.recipes.types import LinprobeRecipe, Optim
from training.run import Run
from training.trunks import build_classifier

SETTINGS = goldens.facts()["linprobe"]

# float32 throughout; LARS divides by the norm of a gradient, which rounding hardly moves.
TOLERANCE = 1e-5

RECIPE = LinprobeRecipe(
    name="tiny",
    encoder="vit_tiny",
    optim=Optim(epochs=3, batch=8, base_lr=3.0, warmup_epochs=1, weight_decay=0.0),
    crop_scale=(0.5, 1.0),
    image_size_px=SIDE_PX,
    packed_size_px=40,
)


def data(num: int = 16) -> LabelledImages:
    """Dark means absent."""
    images = phantoms(num)
    images[::2] //= 3
    return LabelledImages(packed(images), (np.arange(num) % 2).astype(np.float32)[:, None])


def test_it_takes_the_official_code_s_steps():
    """Batch statistics, loss and LARS together, from the official head."""
    golden, shared = goldens.tensors("linprobe"), goldens.tensors("train_io")
    probe = LinearProbe(goldens.classifier("token")).train()
    probe.head.load_state_dict({name[6:]: value for name, value in golden.items() if name.startswith("head0.")})
    optimizer = lars(probe.head)
    set_learning_rate(optimizer, SETTINGS["lr"])

    steps = []
    for _ in SETTINGS["losses"]:
        loss = masked_bce(probe(shared["imgs"]), shared["vit.labels"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        steps.append(loss.item())

    assert SETTINGS["losses"] == pytest.approx(steps, rel=TOLERANCE)
    for name, value in probe.head.state_dict().items():
        assert torch.allclose(golden[f"head6.{name}"].to(value.dtype), value, rtol=1e-4, atol=TOLERANCE), name


class TestLinearProbe:
    def test_the_trunk_never_trains(self):
        """Neither its weights nor its mode: stochastic depth would blur what it knows."""
        probe = LinearProbe(goldens.classifier("token")).train()

        assert probe.head.training
        assert not any(module.training for module in probe.trunk.modules())
        assert {"head.1.weight", "head.1.bias"} == {
            name for name, parameter in probe.named_parameters() if parameter.requires_grad
        }

    def test_folded_it_says_the_same(self):
        """Normalisation goes into the weights of an ordinary classifier."""
        probe = LinearProbe(goldens.classifier("token"))
        images = goldens.tensors("train_io")["imgs"]
        probe.train()(images)  # moves the running statistics
        expected = probe.eval()(images).detach()

        assert torch.allclose(expected, probe.folded()(images).detach(), atol=1e-5)


def _run(folder: Run, recipe: LinprobeRecipe = RECIPE):
    return linprobe(recipe, build_classifier(recipe, 1), data(), folder, ENGINE, alone())


def test_linprobe__reads_off_what_even_a_random_trunk_separates(tmp_path):
    """Dark against bright."""
    network = _run(Run(tmp_path))

    values = losses(tmp_path)
    assert 6 == len(values)
    assert values[-1] < values[0]
    assert not network.training


def test_linprobe__an_interrupted_run_goes_on_with_the_same_losses(tmp_path):
    """Running statistics and momentum continue, too."""
    _run(Run(tmp_path / "whole"))
    _run(StopAfter(tmp_path / "parts", 3))
    _run(Run(tmp_path / "parts"))

    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
