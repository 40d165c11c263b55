"""A head that compares with the pictures it was solved on: likeness, its slope, and where a probe with it puts it."""

import pytest
import torch

from models.errors import CheckpointError
from models.nets.checkpoint import load, save
from models.nets.kernel_head import KernelHead
from models.nets.probe import ProbeClassifier, ProbeConfig
from models.nets.vit import VitShape
from tests.models.nets.test_saliency import _spread

CONFIG = ProbeConfig(VitShape(48, 2, 3), 5, image_size_px=64, num_supports=7)


@pytest.fixture(name="probe", scope="module")
def _probe():
    """A head as one that was solved: of scales at which likeness is neither 0 nor 1."""
    torch.manual_seed(0)
    probe = _spread(ProbeClassifier(CONFIG)).eval()
    width = 2 * CONFIG.shape.width
    probe.head.load_state_dict(
        {
            "centre": torch.randn(width),
            "metric": torch.randn(width, width) / width,
            "supports": torch.randn(7, width) / width**0.5,
            "weight": torch.randn(5, 7),
            "bias": torch.randn(5),
        }
    )
    return probe


@pytest.fixture(name="images", scope="module")
def _images():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_it_is_a_sum_of_gaussians(probe):
    """By hand, for one picture and one finding."""
    head = probe.head
    features = torch.randn(4, 96)
    placed = (features[1] - head.centre) @ head.metric
    by_hand = sum(
        weight * torch.exp(-(placed - support).square().sum())
        for weight, support in zip(head.weight[2], head.supports, strict=True)
    )

    assert head(features)[1, 2].item() == pytest.approx((by_hand + head.bias[2]).item(), rel=1e-4)


def test_its_slope_is_the_gradient(probe):
    """Against autograd, of every logit."""
    features = torch.randn(4, 96).requires_grad_()
    logits = probe.head(features)
    expected = torch.stack(
        [torch.autograd.grad(logits[:, finding].sum(), features, retain_graph=True)[0] for finding in range(5)], dim=1
    )

    assert expected.abs().max() > 0.01
    assert torch.allclose(probe.head.slope(features), expected, atol=1e-5)


def test_evidence_adds_up_to_the_logit(probe, images):
    """As that of a linear head: what the kernel bends is spread evenly, so maps of a committee can be averaged."""
    with torch.inference_mode():
        logits, added = probe.evidence(images)

        assert torch.allclose(added.mean(dim=(2, 3)) + probe.head.bias, logits, atol=1e-4)
        assert torch.allclose(logits, probe(images), atol=1e-5)
    assert (3, 5, 4, 4) == tuple(added.shape)


def test_evidence_differs_from_place_to_place_as_that_of_its_slope(probe, images):
    """A linear head with the slope as weights puts the same differences between two patches."""
    linear = ProbeClassifier(ProbeConfig(CONFIG.shape, 5, image_size_px=64)).eval()
    linear.trunk.load_state_dict(probe.trunk.state_dict())
    with torch.inference_mode():
        linear.head.weight.copy_(probe.head.slope(probe.features(images[:1]))[0])
        _, added = probe.evidence(images[:1])
        _, expected = linear.evidence(images[:1])

    assert torch.allclose(added - added[:, :, :1, :1], expected - expected[:, :, :1, :1], atol=1e-4)


def test_nothing_of_it_is_trained(probe):
    """An optimiser that is given the probe's parameters moves the trunk alone."""
    assert not list(probe.head.parameters())
    assert {"centre", "metric", "supports", "weight", "bias"} == set(dict(probe.head.named_buffers()))


def test_a_file_opens_again(probe, images, tmp_path):
    """With as many pictures to compare with; one of another number is refused."""
    save(probe, tmp_path / "probe.safetensors")
    opened = load(tmp_path / "probe.safetensors")

    assert CONFIG == opened.config
    with torch.inference_mode():
        assert torch.equal(opened(images), probe(images))

    broken = ProbeClassifier(CONFIG)
    broken.head = KernelHead(96, 6, 5)
    save(broken, tmp_path / "broken.safetensors")
    with pytest.raises(CheckpointError):
        load(tmp_path / "broken.safetensors")
