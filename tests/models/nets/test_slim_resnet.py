"""Slim ResNets and their ensembles: torchvision's arithmetic, maps against autograd, files that open again."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from safetensors.torch import save_file
from torchvision.models import resnet18

from models.errors import CheckpointError
from models.nets.checkpoint import initialise_encoder, load, save
from models.nets.slim_resnet import SlimClassifier, SlimConfig, SlimResNet, SlimShape, together
from tests.goldens import relative_error
from tests.models.nets.test_saliency import (
    EXACT,
    LOGIT_TOLERANCE,
    MAP_TOLERANCE,
    _assert_equal,
    _assert_equal_to_the_library,
    _images,
    _spread,
)

TINY = SlimShape((1, 1, 2, 1), 4)


def _classifier(members=1, side=96, seed=0):
    torch.manual_seed(seed)
    return _spread(SlimClassifier(SlimConfig(TINY, 14, members, side)))


def test_at_full_width_a_member_is_torchvision_s_resnet18():
    """Same names, same shapes, same numbers."""
    torch.manual_seed(0)
    theirs = _spread(resnet18(num_classes=14)).eval()
    ours = SlimResNet(SlimShape((2, 2, 2, 2), 64), 14).eval()
    ours.load_state_dict(theirs.state_dict())

    with torch.inference_mode():
        assert relative_error(ours(_images(64)), theirs(_images(64))) < LOGIT_TOLERANCE


def test_start_from_prevalence__answers_with_the_prevalence_before_it_has_learned_anything():
    """Heads see little of the picture, and their bias is the logit, kept away from 0 and 1."""
    torch.manual_seed(0)
    network = SlimClassifier(SlimConfig(TINY, 3, 2, 64)).eval()
    network.start_from_prevalence(torch.tensor([0.0, 0.2, 0.5]))

    with torch.inference_mode():
        answers = network(_images(64)).sigmoid()

    assert torch.allclose(answers, torch.tensor([0.01, 0.2, 0.5]).expand_as(answers), atol=0.02)
    assert float(answers.detach().std(dim=0).max()) > 0


class TestSaliency:
    @pytest.mark.parametrize("members", [1, 3])
    def test_logits_are_those_of_forward(self, members):
        """The maps come beside them, in the same pass, at the size of the network."""
        network = _classifier(members)
        with torch.inference_mode():
            logits, maps = network.saliency(_images(128))

            assert relative_error(logits, network(_images(128))) < LOGIT_TOLERANCE
        assert (2, 14, 3, 3) == tuple(maps.shape)

    def test_maps_of_one_member_equal_autograd(self):
        """At the output of its last stage, in float32 and, exactly, in float64."""
        network, images = _classifier(), _images(96)

        _assert_equal(network, network.members[0].layer4, images, MAP_TOLERANCE)
        network.double()
        _assert_equal(network, network.members[0].layer4, images.double(), EXACT)

    def test_maps_of_one_member_equal_pytorch_grad_cam_after_its_scaling(self):
        """Every finding whose raw map has a peak to speak of."""
        network, images = _classifier(), _images(96)
        with GradCAM(network, [network.members[0].layer4]) as cam:
            targets = [[ClassifierOutputTarget(finding)] * len(images) for finding in range(14)]
            library = np.stack([cam(images, target) for target in targets], axis=1)

        _assert_equal_to_the_library(network.saliency(images)[1], library, 96)

    def test_maps_of_an_ensemble_are_grad_cam_over_all_last_stages_side_by_side(self):
        """Autograd of the mean logit at each member's last stage; ReLU comes after the sum, not before."""
        network, images = _classifier(3).double(), _images(96).double()
        stages = [member.last_stage(images).detach().requires_grad_() for member in network.members]
        heads = [member.fc(stage.mean(dim=(2, 3))) for member, stage in zip(network.members, stages, strict=True)]
        logits = torch.stack(heads).mean(dim=0)
        expected = []
        for finding in range(14):
            gradients = torch.autograd.grad(logits[:, finding].sum(), stages, retain_graph=True)
            weighted = [
                (gradient.mean(dim=(2, 3), keepdim=True) * stage).sum(dim=1)
                for gradient, stage in zip(gradients, stages, strict=True)
            ]
            expected.append(torch.relu(torch.stack(weighted).sum(dim=0)))

        maps = network.saliency(images)[1].detach()
        assert relative_error(maps, torch.stack(expected, dim=1).detach()) < EXACT

    def test_training_mode_is_refused(self):
        """Batch statistics are no property of one picture."""
        with pytest.raises(ValueError, match="eval"):
            _classifier().train().saliency(_images(96))


class TestEnsemble:
    def test_its_logits_are_the_mean_of_its_parts(self):
        """In the order in which they were given."""
        parts = [_classifier(seed=seed).eval() for seed in range(3)]
        with torch.inference_mode():
            mean = torch.stack([part(_images(96)) for part in parts]).mean(dim=0)

            assert relative_error(together(parts)(_images(96)), mean) < LOGIT_TOLERANCE

    def test_networks_of_another_kind_are_refused(self):
        """Their maps would not lie over one another."""
        with pytest.raises(ValueError, match="2 kinds"):
            together([_classifier(side=96), _classifier(side=64)])

    def test_none_is_refused(self):
        """The mean of nothing is not a number."""
        with pytest.raises(ValueError, match="0 kinds"):
            together([])


class TestCheckpoint:
    def test_it_opens_again(self, tmp_path):
        """With its members and the size at which it looks."""
        network = _classifier(2).eval()
        save(network, tmp_path / "network.safetensors")
        opened = load(tmp_path / "network.safetensors")

        assert opened.config == network.config
        with torch.inference_mode():
            assert torch.equal(opened(_images(96)), network(_images(96)))

    def test_a_file_that_does_not_say_its_size_is_refused(self, tmp_path):
        """A guess would give a network that runs and is wrong."""
        save_file(_classifier().state_dict(), tmp_path / "bare.safetensors")
        with pytest.raises(CheckpointError, match="size"):
            load(tmp_path / "bare.safetensors")

    def test_a_trunk_starts_another_classifier(self):
        """All but the heads."""
        source, target = _classifier(seed=0), _classifier(seed=1)
        head = target.members[0].fc.weight.clone()
        transfer = initialise_encoder(target, source.state_dict())

        assert torch.equal(target.members[0].conv1.weight, source.members[0].conv1.weight)
        assert torch.equal(target.members[0].fc.weight, head)
        assert {"members.0.fc.weight", "members.0.fc.bias"} == set(transfer.fresh)
