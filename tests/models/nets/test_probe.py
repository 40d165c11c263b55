"""A head over mean and spread of a frozen trunk's patches: what it sees, where its evidence lies, files that open."""

import pytest
import torch

from models.errors import CheckpointError
from models.nets.checkpoint import load, save
from models.nets.probe import ProbeClassifier, ProbeConfig
from models.nets.vit import VitShape
from tests.models.nets.test_saliency import _spread

CONFIG = ProbeConfig(VitShape(48, 2, 3), 5, image_size_px=64)


@pytest.fixture(name="probe", scope="module")
def _probe():
    torch.manual_seed(0)
    return _spread(ProbeClassifier(CONFIG)).eval()


@pytest.fixture(name="images", scope="module")
def _images():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_the_head_sees_means_and_deviations_of_the_patches(probe, images):
    """Of the trunk's normalised tokens, the class token left out."""
    with torch.inference_mode():
        tokens = probe.trunk.forward_features(images)[:, 1:]
        expected = torch.cat([tokens.mean(dim=1), tokens.std(dim=1, correction=0)], dim=1)

        assert torch.allclose(probe.features(images), expected, atol=1e-4)
        assert torch.allclose(probe(images), probe.head(expected), atol=1e-3)


def test_evidence_adds_up_to_the_logit(probe, images):
    """Its mean over patches is the logit less the bias, exactly: nothing of the score is left out of the map."""
    with torch.inference_mode():
        logits, added = probe.evidence(images)

    assert (3, 5, 4, 4) == tuple(added.shape)
    assert torch.allclose(added.mean(dim=(2, 3)) + probe.head.bias, logits, atol=1e-4)
    assert torch.allclose(logits, probe(images), atol=1e-5)


def test_evidence_is_gradient_times_distance_from_the_mean(probe, images):
    """Against autograd at the trunk's output: of deviations, t - mean times the gradient; of means, the tokens."""
    with torch.inference_mode():
        _, added = probe.evidence(images)
    tokens = probe.trunk.forward_features(images)[:, 1:].detach().requires_grad_()
    mean, spread = tokens.mean(dim=1), (tokens.var(dim=1, correction=0) + 1e-6).sqrt()
    of_mean, of_spread = probe.head.weight.chunk(2, dim=1)
    (gradient,) = torch.autograd.grad((spread @ of_spread[2]).sum(), tokens)
    by_hand = tokens @ of_mean[2] + 16 * (gradient * (tokens - mean.unsqueeze(1))).sum(dim=2)

    assert torch.allclose(added[:, 2].flatten(1), by_hand, atol=1e-2 * by_hand.abs().max().item())


def test_pictures_of_any_size_are_brought_to_its_own(probe):
    """A bundle's pictures are larger than what it was trained on."""
    large = torch.nn.functional.interpolate(torch.randn(2, 3, 32, 32), size=(96, 96), mode="bilinear")
    small = torch.nn.functional.interpolate(large, size=(64, 64), mode="bilinear", align_corners=False)

    with torch.inference_mode():
        assert torch.allclose(probe(large), probe(small), atol=1e-5)


def test_maps_are_the_evidence_for(probe, images):
    """What speaks against a finding is no place of it."""
    with torch.inference_mode():
        logits, maps = probe.saliency(images)

    assert (maps >= 0).all()
    assert (maps == 0).any()
    assert (maps > 0).any()
    assert (3, 5) == tuple(logits.shape)


def test_a_file_opens_again(probe, images, tmp_path):
    """And one that has lost a tensor does not."""
    save(probe, tmp_path / "probe.safetensors")
    opened = load(tmp_path / "probe.safetensors")

    assert CONFIG == opened.config
    with torch.inference_mode():
        assert torch.equal(opened(images), probe(images))

    broken = ProbeClassifier(CONFIG)
    del broken.trunk.pos_embed
    save(broken, tmp_path / "broken.safetensors")
    with pytest.raises(CheckpointError, match="pos_embed"):
        load(tmp_path / "broken.safetensors")
