"""Fine-tuning: unknown labels are masked, the best epoch is kept, runs continue exactly."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.errors import CheckpointError
from tests.training.execution import ENGINE, StopAfter, alone, losses, packed
from tests.training.tiny import FINETUNE, SIDE_PX, phantoms
from training.average import rising_average
from training.data.crops import normalise, statistics_table
from training.finetune import BEST, LabelledImages, finetune, optimizer_of
from training.objectives import exclusive_cross_entropy, masked_bce
from training.run import Run
from training.selection import Held, Selection, logits_of, selection_number
from training.trunks import build_classifier

CPU = torch.device("cpu")


def images_and_labels(num: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Dark means finding 0 is absent; finding 1 is unknown everywhere but once."""
    images = phantoms(num)
    labels = np.full((num, 2), np.nan, np.float32)
    labels[:, 0] = np.arange(num) % 2
    labels[0, 1] = 1
    images[::2] //= 3
    return images, labels


def data(num: int = 16, *, with_held: bool = False) -> LabelledImages:
    images, labels = images_and_labels(num)
    centre = np.ascontiguousarray(images[:, 4 : 4 + SIDE_PX, 4 : 4 + SIDE_PX])
    statistics = statistics_table(["manifest"], "grey").expand(num, -1, -1).numpy()
    held = Held(centre, labels, statistics) if with_held else None
    return LabelledImages(packed(images), labels, held=held)


def run(recipe, material, folder, engine=ENGINE):
    return finetune(recipe, build_classifier(recipe, 2), material, folder, engine, alone())


class TestMaskedBce:
    def test_unknown_labels_give_no_gradient(self):
        """A NaN must not leak into the weights either."""
        logits = torch.zeros(2, 2, requires_grad=True)
        labels = torch.tensor([[1.0, torch.nan], [0.0, torch.nan]])

        masked_bce(logits, labels).backward()

        assert [[-0.25, 0.0], [0.25, 0.0]] == logits.grad.tolist()

    def test_without_unknowns_it_is_the_ordinary_loss(self):
        """Mean over images and findings."""
        logits, labels = torch.randn(4, 3), torch.randint(0, 2, (4, 3)).float()

        ordinary = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)

        assert ordinary.item() == pytest.approx(masked_bce(logits, labels).item())

    def test_a_part_of_a_batch_without_any_label_counts_nothing(self):
        """Beside it, other parts of the step have labels."""
        logits = torch.zeros(2, 2, requires_grad=True)

        loss = masked_bce(logits, torch.full((2, 2), torch.nan))
        loss.backward()

        assert 0 == loss.item()
        assert not logits.grad.any()


def test_exclusive_cross_entropy__is_the_softmax_of_the_one_that_is_there():
    """COVIDx has one class a picture."""
    logits = torch.tensor([[2.0, 0.0, 1.0]])

    expected = -torch.log_softmax(logits, dim=1)[0, 2]

    assert expected.item() == pytest.approx(exclusive_cross_entropy(logits, torch.tensor([[0.0, 0.0, 1.0]])).item())


def test_finetune__separates_what_it_was_shown(tmp_path):
    """Dark against bright is learnt in a dozen steps."""
    network = run(FINETUNE, data(), Run(tmp_path))

    images, labels = images_and_labels()
    with torch.inference_mode():
        logits = network(normalise(torch.from_numpy(images[:, 4:36, 4:36])))[:, 0].numpy()

    assert logits[labels[:, 0] == 1].mean() > logits[labels[:, 0] == 0].mean()


def test_finetune__an_interrupted_run_goes_on_with_the_same_losses(tmp_path):
    """DropPath and RandAugment draw again what they would have drawn."""
    run(FINETUNE, data(), Run(tmp_path / "whole"))
    run(FINETUNE, data(), StopAfter(tmp_path / "parts", 7))
    run(FINETUNE, data(), Run(tmp_path / "parts"))

    assert 12 == len(losses(tmp_path / "whole"))
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")


def test_finetune__accumulates_labels_that_are_unevenly_known(tmp_path):
    """A part with more known labels counts more: the mean is over the labels of the whole step."""
    recipe = replace(FINETUNE, drop_path=0.0)  # which draws for a part what it would not draw for the whole
    run(recipe, data(), Run(tmp_path / "whole"))
    run(recipe, data(), Run(tmp_path / "parts"), replace(ENGINE, micro_batch=1))

    assert losses(tmp_path / "whole") == pytest.approx(losses(tmp_path / "parts"), rel=1e-3)


def test_finetune__without_one_known_label_is_refused(tmp_path):
    """Before the first step."""
    images, labels = images_and_labels()

    with pytest.raises(ValueError, match="not one label"):
        run(FINETUNE, LabelledImages(packed(images), np.full_like(labels, np.nan)), Run(tmp_path))


class TestAverage:
    RECIPE = replace(FINETUNE, average=0.5)

    def test_it_is_what_is_kept_and_no_step_s_weights(self, tmp_path):
        """The steps themselves are those of a run without it."""
        last = run(FINETUNE, data(), Run(tmp_path / "last"))
        averaged = run(self.RECIPE, data(), Run(tmp_path / "averaged"))

        assert losses(tmp_path / "last") == losses(tmp_path / "averaged")
        assert not torch.equal(last.head.weight, averaged.head.weight)

    def test_an_interruption_leaves_no_trace_in_it(self, tmp_path):
        """It is in the checkpoint."""
        whole = run(self.RECIPE, data(), Run(tmp_path / "whole"))
        run(self.RECIPE, data(), StopAfter(tmp_path / "parts", 7))
        parts = run(self.RECIPE, data(), Run(tmp_path / "parts"))

        for name, value in whole.state_dict().items():
            assert torch.equal(value, parts.state_dict()[name]), name

    def test_it_follows_the_stated_rule(self):
        """By hand, for one weight: the decay rises to its value."""
        network = torch.nn.Linear(1, 1, bias=False)
        average = rising_average(network, 0.2)
        expected = 0.0
        for step, value in enumerate((3.0, 5.0, 9.0, 2.0)):
            torch.nn.init.constant_(network.weight, value)
            average.update_parameters(network)
            keep = min(0.2, (1 + step) / (10 + step)) if step else 0.0
            expected = keep * expected + (1 - keep) * value

        assert average.module.weight.item() == pytest.approx(expected)
        assert 2.0 == network.weight.item()

    @pytest.mark.parametrize("decay", [0.0, 1.0])
    def test_a_decay_that_averages_nothing_is_refused(self, decay):
        """Neither the last weights nor the first are an average."""
        with pytest.raises(ValueError, match="averages nothing"):
            rising_average(torch.nn.Linear(1, 1), decay)

    def test_it_does_not_go_with_the_best_epoch(self):
        """Two rules for one file."""
        with pytest.raises(ValueError, match="not both"):
            replace(FINETUNE, average=0.5, eval_every=1)


class TestSelection:
    def test_the_epoch_that_scored_best_is_given_back(self, tmp_path):
        """Its number is in the log; the weights that come back reach it again."""
        recipe, material = replace(FINETUNE, eval_every=1), data(with_held=True)
        network = run(recipe, material, Run(tmp_path))

        lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        numbers = [line["val"] for line in lines if "val" in line]
        held = material.held
        assert 3 == len(numbers)
        assert max(numbers) == selection_number(held, logits_of(network, held.images, held.statistics, CPU))

    def test_an_interruption_keeps_the_best_so_far(self, tmp_path):
        """The number to beat is in the checkpoint."""
        recipe, material = replace(FINETUNE, eval_every=1), data(with_held=True)
        whole = run(recipe, material, Run(tmp_path / "whole"))
        run(recipe, material, StopAfter(tmp_path / "parts", 8))
        parts = run(recipe, material, Run(tmp_path / "parts"))

        for name, value in whole.state_dict().items():
            assert torch.equal(value, parts.state_dict()[name]), name

    def test_best_weights_that_are_damaged_are_named(self, tmp_path):
        """Instead of a traceback from the unpickler."""
        selection = Selection(
            build_classifier(FINETUNE, 2), data(with_held=True).held, range(3), tmp_path / BEST, alone()
        )
        (tmp_path / BEST).write_bytes(b"PK\x03\x04")

        with pytest.raises(CheckpointError, match=r"best\.pt is damaged"):
            selection.restore_best()

    def test_findings_with_one_kind_of_label_do_not_choose(self):
        """Finding 1 has a single positive and no negative."""
        held = data(with_held=True).held
        scores = np.stack([held.labels[:, 0], np.zeros(16)], axis=1).astype(np.float32)

        assert 1.0 == selection_number(held, scores)

    def test_findings_with_both_kinds_count_alike(self):
        """One in order, one all ties: (1 + 1/2) / 2."""
        labels = np.eye(2, dtype=np.float32)
        held = Held(np.zeros((2, 8, 8), np.uint8), labels, np.zeros((2, 2, 3), np.float32))

        assert 3 / 4 == selection_number(held, labels * np.float32([1, 0]))

    def test_where_nothing_is_defined_nothing_is_chosen(self):
        """Better an error than the mean of nothing."""
        held = data(with_held=True).held
        one_kind = replace(held, labels=np.ones_like(held.labels))

        with pytest.raises(ValueError, match="no finding with both"):
            selection_number(one_kind, np.zeros((16, 2), np.float32))

    def test_exclusive_findings_are_chosen_by_accuracy(self):
        """Two of three right."""
        labels = np.eye(3, dtype=np.float32)
        held = Held(np.zeros((3, 8, 8), np.uint8), labels, np.zeros((3, 2, 3), np.float32), is_exclusive=True)

        assert pytest.approx(2 / 3) == selection_number(held, labels[[0, 1, 1]])

    def test_the_last_epoch_is_always_due(self, tmp_path):
        """Every second of three."""
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE_PX * SIDE_PX * 3, 2))
        selection = Selection(network, data(with_held=True).held, range(2, 4, 2), tmp_path / BEST, alone())

        assert [False, True, True] == ["val" in selection.look(epoch) for epoch in (1, 2, 3)]

    @pytest.mark.parametrize("is_training", [True, False])
    def test_a_network_is_scored_in_eval_mode_and_left_in_its_own(self, is_training):
        """Dropout of everything leaves something in eval mode only."""
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(1.0)).train(is_training)
        held = data(with_held=True).held

        assert logits_of(network, held.images, held.statistics, CPU).any()
        assert is_training == network.training


def test_every_layer_has_the_rate_that_the_recipe_gives_it():
    """Layer decay and weight decay reach the optimizer; biases do not decay."""
    recipe = replace(FINETUNE, optim=replace(FINETUNE.optim, epochs=1, batch=16, warmup_epochs=0, weight_decay=0.05))
    network = build_classifier(recipe, 2)
    weights = dict(network.named_parameters())
    optimizer = optimizer_of(recipe, network)
    scale_of = {
        id(weight): (group["lr_scale"], group["weight_decay"])
        for group in optimizer.param_groups
        for weight in group["params"]
    }

    assert (1.0, 0.05) == scale_of[id(weights["head.weight"])]
    assert pytest.approx((0.65, 0.05)) == scale_of[id(weights["blocks.11.attn.qkv.weight"])]
    assert pytest.approx((0.65**12, 0.05)) == scale_of[id(weights["blocks.0.attn.qkv.weight"])]
    assert pytest.approx((0.65**12, 0.0)) == scale_of[id(weights["blocks.0.attn.qkv.bias"])]


def test_selection__gives_back_the_weights_of_its_best_epoch(tmp_path, monkeypatch):
    """The second of four, the first of two equals."""
    numbers = iter([0.5, 0.9, 0.7, 0.9])
    monkeypatch.setattr("training.selection.selection_number", lambda *_: next(numbers))
    network = torch.nn.Linear(SIDE_PX * SIDE_PX * 3, 2)
    scored = torch.nn.Sequential(torch.nn.Flatten(), network)
    selection = Selection(scored, data(with_held=True).held, range(4), tmp_path / "best.pt", alone())
    for epoch in range(4):
        torch.nn.init.constant_(network.weight, float(epoch))
        selection.look(epoch)
    selection.restore_best()

    assert (0.9, 1) == (selection.best, selection.best_epoch)
    assert {1.0} == set(network.weight.detach().unique().tolist())
