"""Every way of table 1 to start a classifier: files as their authors publish them, written here at a small size.

The real files are not here. Each layout below is what the source beside it documents or saves; names and containers are
its, sizes and numbers are ours.
"""

import re
from argparse import Namespace
from dataclasses import dataclass

import pytest
import torch

from models.errors import CheckpointError
from models.nets.checkpoint import initialise_encoder, save
from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.densenet import DENSENET121, DenseNetClassifier, DenseNetShape
from models.nets.moco import MocoConfig, MomentumContrast
from models.nets.resnet import ResNetClassifier, ResNetShape
from models.nets.slim_resnet import SlimClassifier, SlimConfig, SlimShape
from models.nets.vit import VitClassifier
from tests import goldens

SMALL_DENSENET, SMALL_RESNET = DenseNetShape(4, (1, 1, 1, 1), 8), ResNetShape((1, 1, 1, 1), 4)
SMALL_SLIM = SlimShape((1, 1, 1, 1), 4)


def _densenet(num_findings=14, shape=SMALL_DENSENET):
    return DenseNetClassifier(num_findings, shape)


def _resnet(num_findings=14):
    return ResNetClassifier(num_findings, SMALL_RESNET)


def _slim():
    return SlimClassifier(SlimConfig(SMALL_SLIM, 14))


def _vit(head="token"):
    return VitClassifier(goldens.ENCODER, num_findings=14, head=head, image_size_px=64)


def _prefixed(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def _without(state, *beginnings):
    return {name: value for name, value in state.items() if not name.startswith(beginnings)}


def _old_torchvision_densenet():
    """torchvision's densenet121-a639ec97.pth: names from before 0.3, no counters of batches, a thousand classes."""
    state = _densenet(1000).state_dict()
    return {
        re.sub(r"(denselayer\d+\.(?:norm|conv))", r"\1.", name): value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }


def _old_torchvision_resnet():
    """torchvision's resnet50-19c8e357.pth: no counters of batches."""
    return {name: value for name, value in _resnet(1000).state_dict().items() if "num_batches" not in name}


def _moco_container(*, with_keys):
    """facebookresearch/moco, main_moco.py: a MoCo in DistributedDataParallel, saved with its optimizer."""
    state = _prefixed("module.", MomentumContrast(MocoConfig(SMALL_RESNET, 8, 12)).state_dict())
    if not with_keys:
        state = {name: value for name, value in state.items() if name.startswith("module.encoder_q.")}
    return {"epoch": 800, "arch": "resnet50", "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}


def _swav():
    """facebookresearch/swav, hubconf.py and src/resnet50.py: a bare state dict out of DistributedDataParallel."""
    head = {
        "projection_head.0.weight": torch.ones(16, 2048),
        "projection_head.0.bias": torch.ones(16),
        "projection_head.1.weight": torch.ones(16),
        "projection_head.1.bias": torch.ones(16),
        "projection_head.1.running_mean": torch.ones(16),
        "projection_head.1.running_var": torch.ones(16),
        "projection_head.1.num_batches_tracked": torch.tensor(9),
        "projection_head.3.weight": torch.ones(8, 16),
        "projection_head.3.bias": torch.ones(8),
        "prototypes.weight": torch.ones(30, 8),
    }
    return _prefixed("module.", _without(_resnet().state_dict(), "fc.") | head)


def _byol(prefix):
    """linusericsson/ssl-transfer, `convert_byol`: torchvision's names in a container, `fc` as it was drawn."""
    return {"state_dict": _prefixed(prefix, _resnet(1000).state_dict())}


def _cnn_mae():
    """medical_mae, models_mae_cnn.py: `self.model` is smp's U-Net; util/misc.py `save_model` makes the container."""
    state = InpaintingAutoencoder(InpaintingConfig()).state_dict()
    return {"model": state, "optimizer": {}, "epoch": 799, "scaler": {}, "args": Namespace(model="densenet121")}


def _deit():
    """facebookresearch/deit, deit_small_patch16_224-cd65a155.pth: timm's names under `model`, a thousand classes."""
    head = {"head.weight": torch.ones(1000, 48), "head.bias": torch.ones(1000)}
    return {"model": goldens.tensors("vit_token_rand") | head}


@dataclass(frozen=True)
class Case:
    """One file, the classifier that starts from it, and what comes of it."""

    content: object
    classifier: object
    prefix: str
    state: object = lambda content: content.get("state_dict", content.get("model", content))
    fresh: tuple[str, ...] = ("fc.weight", "fc.bias")


CASES = {
    "DenseNet, torchvision": Case(
        _old_torchvision_densenet, _densenet, "", fresh=("classifier.weight", "classifier.bias")
    ),
    "DenseNet, medical_mae's CNN": Case(
        _cnn_mae, lambda: _densenet(shape=DENSENET121), "model.encoder.", fresh=("classifier.weight", "classifier.bias")
    ),
    "ResNet, torchvision": Case(_old_torchvision_resnet, _resnet, ""),
    "ResNet, MoCo v2 as published": Case(lambda: _moco_container(with_keys=False), _resnet, "module.encoder_q."),
    "ResNet, MoCo v2 as its trainer saves it": Case(
        lambda: _moco_container(with_keys=True), _resnet, "module.encoder_q."
    ),
    "ResNet, SwAV": Case(_swav, _resnet, "module."),
    "ResNet, BYOL": Case(lambda: _byol(""), _resnet, ""),
    "ResNet, BYOL with encoder.": Case(lambda: _byol("encoder."), _resnet, "encoder."),
    "ResNet, BYOL with module.": Case(lambda: _byol("module."), _resnet, "module."),
    "ResNet, module.encoder.": Case(lambda: _byol("module.encoder."), _resnet, "module.encoder."),
    "ViT, DeiT": Case(_deit, _vit, "", fresh=("head.weight", "head.bias")),
    "ViT, DeiT, average pool": Case(
        _deit,
        lambda: _vit("avg"),
        "",
        fresh=("fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"),
    ),
    "ViT, DistributedDataParallel": Case(
        lambda: _prefixed("module.", goldens.tensors("mae_rand")), _vit, "module.", fresh=("head.weight", "head.bias")
    ),
}


def _now(name):
    """A tensor's name as torchvision has it today."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", name)


@pytest.mark.parametrize("name", CASES)
def test_initialise_encoder__takes_the_whole_encoder_and_says_what_it_left(name, tmp_path):
    """Every tensor of the classifier but the fresh ones is the file's, and every name of the file is accounted for."""
    case = CASES[name]
    content, classifier = case.content(), case.classifier()
    torch.save(content, tmp_path / "file.pth")
    source = {_now(key): value for key, value in case.state(content).items()}
    before = {key: value.clone() for key, value in classifier.state_dict().items()}

    transfer = initialise_encoder(classifier, tmp_path / "file.pth")

    assert case.prefix == transfer.prefix
    assert set(case.fresh) == set(transfer.fresh)
    taken = set()
    for key, value in classifier.state_dict().items():
        if key in transfer.fresh:
            assert torch.equal(before[key], value), key
        elif case.prefix + key in source:
            assert torch.equal(source[case.prefix + key], value), key
            taken.add(case.prefix + key)
        else:
            assert key.endswith("num_batches_tracked"), key
            assert 0 == value
    assert source.keys() - taken == set(transfer.skipped)


OWN = {
    "in-painting": (lambda: InpaintingAutoencoder(InpaintingConfig()), lambda: _densenet(shape=DENSENET121)),
    "momentum contrast, DenseNet": (lambda: MomentumContrast(MocoConfig(SMALL_DENSENET, 8, 12)), _densenet),
    "momentum contrast, ResNet": (lambda: MomentumContrast(MocoConfig(SMALL_RESNET, 8, 12)), _resnet),
    "momentum contrast, slim ResNet": (lambda: MomentumContrast(MocoConfig(SMALL_SLIM, 8, 12)), _slim),
    "another DenseNet": (lambda: _densenet(1000), _densenet),
    "another ResNet": (lambda: _resnet(1000), _resnet),
}
PREFIXES = {InpaintingAutoencoder: "model.encoder.", MomentumContrast: "encoder_q."}


@pytest.mark.parametrize("name", OWN)
def test_initialise_encoder__takes_our_own_files(name, tmp_path):
    """What pre-training saves is what fine-tuning starts from; of momentum contrast, the query encoder."""
    make_source, make_classifier = OWN[name]
    source, classifier = make_source(), make_classifier()
    save(source, tmp_path / "own.safetensors")
    prefix = PREFIXES.get(type(source), "")

    transfer = initialise_encoder(classifier, tmp_path / "own.safetensors")

    state = source.state_dict()
    assert prefix == transfer.prefix
    assert 2 == len(transfer.fresh)
    assert all(
        torch.equal(state[prefix + key], value)
        for key, value in classifier.state_dict().items()
        if key not in transfer.fresh
    )


def _distilled():
    """facebookresearch/deit, deit_small_distilled_patch16_224: a second token and a head for it."""
    extra = {"dist_token": torch.ones(1, 1, 48), "head_dist.weight": torch.ones(9, 48), "head_dist.bias": torch.ones(9)}
    return goldens.tensors("vit_token_rand") | extra | {"pos_embed": torch.ones(1, 18, 48)}


REFUSALS = {
    "two encoders": (
        lambda: _prefixed("encoder.", _resnet().state_dict()) | _prefixed("module.", _resnet().state_dict()),
        _resnet,
        "more than one encoder, under 'module.' and 'encoder.'",
    ),
    "a prefix nobody told us": (
        lambda: _prefixed("online_encoder.net.", _resnet().state_dict()),
        _resnet,
        "perhaps one under 'online_encoder.net.'",
    ),
    "another kind": (lambda: _densenet().state_dict(), _resnet, "no such encoder"),
    "nothing": (dict, _densenet, "no such encoder"),
    "a part of one": (
        lambda: _prefixed("module.encoder_q.", _without(_resnet().state_dict(), "layer3.0.bn2.")),
        _resnet,
        "missing: layer3.0.bn2.bias, layer3.0.bn2.num_batches_tracked, layer3.0.bn2.running_mean",
    ),
    "more than one": (
        lambda: _swav() | {"module.layer4.1.conv1.weight": torch.ones(4, 4, 1, 1)},
        _resnet,
        "unexpected: layer4.1.conv1.weight",
    ),
    "a stranger beside it": (
        lambda: _prefixed("encoder_q.", _resnet().state_dict()) | {"encoder_t.conv1.weight": torch.ones(1)},
        _resnet,
        "unexpected: encoder_t.conv1.weight",
    ),
    "another width": (
        lambda: ResNetClassifier(14, ResNetShape((1, 1, 1, 1), 8)).state_dict(),
        _resnet,
        "layer1.0.conv1.weight (8, 64, 1, 1) for (4, 64, 1, 1)",
    ),
    "not finite": (
        lambda: _prefixed("encoder.", _densenet().state_dict() | {"features.norm5.bias": torch.full((9,), torch.nan)}),
        _densenet,
        "features.norm5.bias",
    ),
    "a distilled transformer": (_distilled, _vit, "dist_token: a distilled transformer"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_initialise_encoder__refuses_by_name_and_changes_nothing(name, tmp_path):
    """Ambiguous, partial, surplus and strange files, each with what is wrong with it."""
    make_content, make_classifier, complaint = REFUSALS[name]
    classifier = make_classifier()
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    torch.save(make_content(), tmp_path / "file.pth")

    with pytest.raises(CheckpointError, match=re.escape(complaint)) as refusal:
        initialise_encoder(classifier, tmp_path / "file.pth")

    assert str(refusal.value).startswith("file.pth: ")
    assert all(torch.equal(before[key], value) for key, value in classifier.state_dict().items())
