"""Eight steps of training, end to end, against the official implementation."""

import pytest
import torch
from torch.nn import functional

from models.nets.checkpoint import load
from tests import goldens
from training.optim import adamw, finetuning_groups, pretraining_groups, set_learning_rate
from training.schedule import CosineSchedule

SETTINGS = goldens.facts()

# float32 throughout; the loss is a mean, in which rounding averages out.
LOSS_TOLERANCE = 2e-6
# Of a tensor's largest movement in eight steps. Adam divides by the size of a gradient, however small it is, so where
# there is next to none, rounding alone moves a weight.
MOVEMENT_TOLERANCE = 1e-3


def _schedule(settings):
    return CosineSchedule(settings["lr"], settings["min_lr"], settings["warmup_epochs"], settings["epochs"])


def _train(optimizer, settings, loss_of_step):
    """Losses and learning rates, step by step."""
    schedule, losses, rates = _schedule(settings), [], []
    for step in range(settings["steps"]):
        rates.append(schedule(step / settings["steps_per_epoch"]))
        set_learning_rate(optimizer, rates[-1])
        loss = loss_of_step(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, rates


def _without_keys(bias):
    """A softmax does not feel the bias of its keys: the gradient there is rounding, and Adam blows rounding up."""
    query, _, value = bias.chunk(3)
    return torch.cat([query, value])


def _movement_errors(network, before, after):
    """Of each tensor that moved: the error of its movement, as a share of the largest entry of that movement."""
    errors = {}
    for name, value in network.state_dict().items():
        expected, actual = after[name] - before[name], value - before[name]
        if expected.any():
            if name.endswith("qkv.bias"):
                expected, actual = (_without_keys(movement) for movement in (expected, actual))
            errors[name] = goldens.relative_error(actual, expected)
        else:
            assert torch.equal(before[name], value), name
    return errors


def test_pretraining__takes_the_official_code_s_steps():
    """Masks, loss, groups, schedule and optimizer together, from the official initialisation."""
    settings, golden = SETTINGS["mae_train"], goldens.tensors("train_io")
    network = load(goldens.OFFICIAL_CONTAINER, heads=3, decoder_heads=4, norm_pix_loss=False).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = adamw(pretraining_groups(network, 0.05), beta2=0.95)

    losses, rates = _train(
        optimizer,
        settings,
        lambda step: network.training_loss(golden["imgs"], golden["mae.noise"][step], settings["mask_ratio"]),
    )

    assert golden["mae.lrs"].tolist() == pytest.approx(rates, rel=1e-12)
    assert golden["mae.losses"].tolist() == pytest.approx(losses, rel=LOSS_TOLERANCE)
    errors = _movement_errors(network, before, goldens.tensors("mae_train_final"))
    assert 48 == len(errors)
    assert {} == {name: error for name, error in errors.items() if not error < MOVEMENT_TOLERANCE}


def test_finetuning__takes_the_official_code_s_steps():
    """Layer-wise decay scales the minimum, too; position embeddings learn."""
    settings, golden = SETTINGS["finetune_train"], goldens.tensors("train_io")
    network = goldens.classifier("avg").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = adamw(finetuning_groups(network, 2, 0.05, 0.55), beta2=0.999)

    losses, rates = _train(
        optimizer,
        settings,
        lambda _: functional.binary_cross_entropy_with_logits(network(golden["imgs"]), golden["vit.labels"]),
    )

    assert golden["vit.lrs"].tolist() == pytest.approx(rates, rel=1e-12)
    assert golden["vit.losses"].tolist() == pytest.approx(losses, rel=LOSS_TOLERANCE)
    errors = _movement_errors(network, before, goldens.tensors("vit_avg_train_final"))
    assert 32 == len(errors)
    assert {} == {name: error for name, error in errors.items() if not error < MOVEMENT_TOLERANCE}


def test_finetuning_groups__of_the_golden_run_are_ours():
    """Same members, same scale, same decay."""
    network = goldens.classifier("avg")
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = finetuning_groups(network, 2, 0.05, 0.55)

    def comparable(members, group):
        return sorted(members), pytest.approx(group["lr_scale"], rel=1e-12), group["weight_decay"]

    expected = sorted(
        (comparable(group["params"], group) for group in SETTINGS["finetune_train"]["groups"]), key=lambda said: said[0]
    )
    actual = sorted(
        ((sorted(names[id(p)] for p in group["params"]), group["lr_scale"], group["weight_decay"]) for group in groups),
        key=lambda said: said[0],
    )
    assert expected == actual
