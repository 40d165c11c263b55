"""Grad-CAM in closed form, against autograd and against pytorch-grad-cam."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from models.nets.densenet import DenseNetClassifier, DenseNetShape
from models.nets.vit import VitClassifier, VitShape
from tests import goldens
from training.gradcam import gradcam_maps

# Of each map's own maximum: a random network's map peaks near 1e-3, where an absolute tolerance proves nothing.
MAP_TOLERANCE = 1e-4
LOGIT_TOLERANCE = 1e-5
# The formulas themselves, in float64: what remains is rounding.
EXACT = 1e-9
# pytorch-grad-cam divides by the range plus 1e-7; below this peak that alone is a per cent.
PEAK = 1e-5

HEADS = pytest.mark.parametrize("head", ["token", "avg"])


def _spread(network, seed=0):
    """Weights, biases and running statistics away from their initialisation, so that every term counts."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator) * 0.1
            tensor.add_(noise.abs() if name.endswith("running_var") else noise)
    return network.eval()


def _vit(shape, head, side, seed=0):
    torch.manual_seed(seed)
    return _spread(VitClassifier(shape, num_findings=14, head=head, image_size_px=side), seed)


def _densenet(seed=0):
    torch.manual_seed(seed)
    return _spread(DenseNetClassifier(14, DenseNetShape(8, (2, 2, 2, 2), 16)), seed)


def _images(side, batch=2):
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(7))


def _autograd(network, layer, images):
    """Logits and, before their ReLU, the maps of every finding: one backward pass a finding."""
    seen = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    logits = network(images)
    handle.remove()
    (activation,) = seen
    maps = []
    for finding in range(logits.shape[1]):
        (gradient,) = torch.autograd.grad(logits[:, finding].sum(), activation, retain_graph=True)
        if activation.ndim == 4:
            maps.append((gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1))
        else:
            flat = (gradient[:, 1:].mean(dim=1, keepdim=True) * activation[:, 1:]).sum(dim=-1)
            maps.append(flat.unflatten(1, network.patch_embed.grid_size))
    return logits.detach(), torch.stack(maps, dim=1).detach()


def _assert_equal(network, layer, images, tolerance):
    logits, before_relu = _autograd(network, layer, images)
    with torch.inference_mode():
        our_logits, our_maps = network.saliency(images)
    expected = before_relu.relu()
    # A map that is nowhere positive has no maximum; rounding of its terms is all it can show.
    floor = before_relu.abs().amax(dim=(2, 3)) * tolerance / 100
    allowed = torch.maximum(expected.amax(dim=(2, 3)) * tolerance, floor)

    assert (expected.amax(dim=(2, 3)) > 0).float().mean() > 0.4
    assert goldens.relative_error(our_logits, logits) < min(tolerance, LOGIT_TOLERANCE)
    assert ((our_maps - expected).abs().amax(dim=(2, 3)) <= allowed).all()


@HEADS
class TestVit:
    def test_raw_maps_are_the_golden_ones(self, head):
        """Autograd's maps of the official implementation, every finding, before any scaling."""
        images, golden = goldens.tensors("mae_rand_io")["imgs"], goldens.tensors(f"vit_{head}_rand_io")
        with torch.inference_mode():
            logits, maps = goldens.classifier(head).saliency(images)
        peaks = golden["gradcam"].amax(dim=(2, 3))

        assert goldens.relative_error(logits, golden["logits"]) < LOGIT_TOLERANCE
        assert ((maps - golden["gradcam"]).abs().amax(dim=(2, 3)) <= peaks * MAP_TOLERANCE).all()

    @pytest.mark.parametrize(
        ("shape", "side"),
        [
            pytest.param(VitShape(24, 1, 2), 48, id="one block, 3x3"),
            pytest.param(VitShape(96, 3, 3), 80, id="5x5"),
            pytest.param(VitShape(64, 2, 1), 112, id="one attention head, 7x7"),
            pytest.param(VitShape(40, 2, 5), 32, id="2x2"),
        ],
    )
    def test_maps_equal_autograd(self, head, shape, side):
        """Whatever the depth, the number of attention heads and the grid; in float32 and, exactly, in float64."""
        network, images = _vit(shape, head, side), _images(side)

        _assert_equal(network, network.blocks[-1].norm1, images, MAP_TOLERANCE)
        network.double()
        _assert_equal(network, network.blocks[-1].norm1, images.double(), EXACT)

    @pytest.mark.parametrize("side", [48, 80])
    def test_maps_equal_pytorch_grad_cam_after_its_scaling(self, head, side):
        """Every finding whose raw map has a peak to speak of."""
        network, images = _vit(VitShape(48, 2, 3), head, side), _images(side)

        _assert_equal_to_the_library(network.saliency(images)[1], gradcam_maps(network, images), side)

    def test_each_picture_is_explained_by_itself(self, head):
        """A map does not depend on what else is in the batch."""
        network, images = _vit(VitShape(48, 2, 3), head, 48), _images(48, batch=3)
        with torch.inference_mode():
            together = network.saliency(images)[1]
            alone = torch.cat([network.saliency(image.unsqueeze(0))[1] for image in images])

        assert goldens.relative_error(alone, together) < MAP_TOLERANCE


def _assert_equal_to_the_library(raw, library, side):
    raw = raw.detach().numpy()
    alive = raw.max(axis=(2, 3)) > PEAK
    scaled = np.stack([scale_cam_image(scale_cam_image(maps, (side, side))) for maps in raw])

    assert alive.mean() > 0.4
    assert np.abs(scaled - library)[alive].max() < MAP_TOLERANCE


class TestDenseNet:
    @pytest.mark.parametrize("side", [64, 96])
    def test_maps_equal_autograd(self, side):
        """At the output of the last dense block, in float32 and, exactly, in float64."""
        network, images = _densenet(), _images(side)

        _assert_equal(network, network.features.denseblock4, images, MAP_TOLERANCE)
        network.double()
        _assert_equal(network, network.features.denseblock4, images.double(), EXACT)

    def test_maps_equal_pytorch_grad_cam_after_its_scaling(self):
        """Every finding whose raw map has a peak to speak of."""
        network, images = _densenet(), _images(96)
        with GradCAM(network, [network.features.denseblock4]) as cam:
            targets = [[ClassifierOutputTarget(finding)] * len(images) for finding in range(14)]
            library = np.stack([cam(images, target) for target in targets], axis=1)

        _assert_equal_to_the_library(network.saliency(images)[1], library, 96)

    def test_densenet121_equals_autograd(self):
        """The network that is served, at its full size."""
        torch.manual_seed(0)
        network = _spread(DenseNetClassifier(3))

        _assert_equal(network, network.features.denseblock4, _images(64, batch=1), MAP_TOLERANCE)
