"""What decays, and how fast each layer learns, against the official implementation."""

import pytest
import torch

from models.nets.mae import mae
from models.nets.vit import VIT_SHAPES, vit
from tests import goldens
from training.optim import adamw, finetuning_groups, layer_id, pretraining_groups, set_learning_rate

LAYER_DECAY = goldens.facts("layer_decay")
SCHEDULES = goldens.facts("lr_schedule")
HEADS = {"cls": "token", "gap": "avg"}


def _names(network, groups):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return [[names[id(parameter)] for parameter in group["params"]] for group in groups]


def test_pretraining_groups__are_the_official_code_s():
    """Tokens decay, biases and norms do not, position tables are not trained."""
    golden = goldens.facts("pretrain_wd_groups")
    with torch.device("meta"):
        network = mae("vit_small", "512x2")
    groups = pretraining_groups(network, 0.05)

    no_decay, decay = _names(network, groups)
    assert sorted(golden["no_decay"]) == sorted(no_decay)
    assert sorted(golden["decay"]) == sorted(decay)
    assert [0.0, 0.05] == [group["weight_decay"] for group in groups]


@pytest.mark.parametrize("name", LAYER_DECAY)
def test_finetuning_groups__are_the_official_code_s(name):
    """Of every parameter: its layer, its share of the learning rate, its decay."""
    golden, size = LAYER_DECAY[name], name.split("_")[1]
    with torch.device("meta"):
        network = vit(f"vit_{size}", num_findings=14, head=HEADS[name.rsplit("_", 1)[1]])
    depth = VIT_SHAPES[f"vit_{size}"].depth
    groups = finetuning_groups(network, depth, golden["weight_decay"], golden["layer_decay"])
    names = _names(network, groups)

    expected = {
        parameter: (value["layer_id"], pytest.approx(value["lr_scale"], rel=1e-12), value["weight_decay"])
        for parameter, value in golden["params"].items()
    }
    actual = {
        parameter: (layer_id(parameter, depth), group["lr_scale"], group["weight_decay"])
        for group, members in zip(groups, names, strict=True)
        for parameter in members
    }
    assert expected == actual
    assert golden["n_groups"] == len(groups)
    assert [len(dict(network.named_parameters()))] == [sum(len(members) for members in names)]


@pytest.mark.parametrize("name", SCHEDULES)
def test_set_learning_rate__scales_each_group(name):
    """Also the minimum is scaled, since the scale is applied last."""
    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = adamw([{"params": parameters[:1]}, {"params": parameters[1:], "lr_scale": 0.55}], 0.999)

    for _, rate, scaled in SCHEDULES[name]["values"]:
        set_learning_rate(optimizer, rate)
        assert [rate, pytest.approx(scaled, rel=1e-12)] == [group["lr"] for group in optimizer.param_groups]
