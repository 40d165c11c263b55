"""The benchmarks' own arithmetic: ratios, goals, a file that can be read back, and a rival that is no straw man."""

import json
import time
from dataclasses import replace

import pytest
import torch

from models.nets.vit import VitClassifier, VitShape
from tests import goldens
from training.benchmarks import gpu, official, ratio
from training.benchmarks.ratio import Fact, Goal
from training.engine import Engine
from training.objectives import masked_bce
from training.recipes.types import Optim

# float32, another order of sums.
TOLERANCE = 1e-5


def _sleep(seconds: float):
    return lambda: time.sleep(seconds)


def test_a_ratio_beyond_its_goal_is_marked_missed():
    """The check must be able to fail."""
    row = ratio.compare("one / other", 1, _sleep(0.02), _sleep(0.005), goal=Goal(at_most=1.05), repeats=3)

    assert row.ratio > 1.05
    assert row.is_met is False


def test_a_ratio_within_its_goal_is_met():
    """At least 30 times, for the rival that is slower."""
    row = ratio.compare("one / other", 1, _sleep(0.2), _sleep(0.001), goal=Goal(at_least=30), repeats=3)

    assert row.is_met is True
    assert row.numerator_ms == pytest.approx(200, rel=0.5)


def test_a_ratio_without_a_goal_is_only_stated():
    """Nothing to miss."""
    assert Goal().admits(1e9)
    assert "" == str(Goal())


def test_a_row_survives_json():
    """`bench.json` is written from these."""
    row = ratio.compare("one / other", 1, _sleep(0.002), _sleep(0.001), goal=Goal(), repeats=3)
    content = json.loads(ratio.report({"cores": 2}, [row], [Fact("speed", 3.0, "img/s")]))

    assert row.name == content["rows"][0]["name"]
    assert {"name": "speed", "value": 3.0, "unit": "img/s"} == content["facts"][0]


class TestOfficialStep:
    """The rival computes the same numbers, or the ratio means nothing."""

    @pytest.mark.parametrize("case", ["r75", "r90"])
    def test_the_pretraining_loss_and_its_gradients_are_ours(self, case):
        """And hence the golden ones."""
        golden = goldens.tensors("mae_rand_io")
        ours, theirs = goldens.autoencoder(), goldens.autoencoder()
        share = {"r75": 0.75, "r90": 0.90}[case]

        expected = ours.training_loss(golden["imgs"], golden[f"{case}.noise"], share)
        actual = official.pretraining_loss(theirs, golden["imgs"], golden[f"{case}.noise"], share)
        expected.backward()
        actual.backward()

        assert expected.item() == pytest.approx(actual.item(), rel=TOLERANCE)
        pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
        errors = [goldens.relative_error(two.grad, one.grad) for one, two in pairs if one.requires_grad]
        assert max(errors) < 1e-3  # a gradient that cancels to nearly nothing keeps fewer digits

    def test_the_classification_loss_is_ours(self):
        """Average-pool head."""
        torch.manual_seed(0)
        network = VitClassifier(VitShape(48, 2, 3), num_findings=4, head="avg", image_size_px=64)
        images, labels = torch.randn(3, 3, 64, 64), torch.randint(2, (3, 4)).float()

        expected = masked_bce(network(images), labels)

        assert expected.item() == pytest.approx(
            official.classification_loss(network, images, labels).item(), rel=TOLERANCE
        )


def test_the_benchmark_of_the_engine_runs_at_any_size():
    """On a CPU it proves nothing about speed, only that a GPU's hour is not lost to a typing error."""
    small = {"image_size_px": 64, "packed_size_px": 72, "encoder": "vit_tiny"}
    optim = Optim(epochs=2, batch=8, base_lr=1e-3, warmup_epochs=1)
    size = gpu.Size(
        pretrain=replace(gpu.PRETRAIN, decoder="128x2h4", optim=optim, **small),
        finetune=replace(gpu.FINETUNE, optim=optim, **small),
        num_images=16,
        official_batches=(4, 4),
        official_steps=1,
    )

    facts = gpu.measure(size, Engine())

    assert ["img/s", "", "h", "img/s", "img/s", "", "img/s", "img/s"] == [fact.unit for fact in facts]
    assert all(fact.value > 0 for fact in facts if fact.unit)
