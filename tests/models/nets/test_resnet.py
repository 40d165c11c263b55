"""ResNet: torchvision's names and numbers, and its maps against autograd and pytorch-grad-cam."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchvision.models import resnet50

from models.nets.resnet import ResNetClassifier, ResNetShape
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


def _resnet():
    torch.manual_seed(0)
    return _spread(ResNetClassifier(14, ResNetShape((1, 2, 1, 1), 4)))


def test_resnet50__has_torchvision_s_names_and_shapes():
    """So its weights, and those of whoever started from it, load."""
    with torch.device("meta"):
        expected, actual = resnet50(num_classes=14).state_dict(), ResNetClassifier(14).state_dict()

    assert [(name, value.shape) for name, value in expected.items()] == [
        (name, value.shape) for name, value in actual.items()
    ]


class TestSaliency:
    def test_logits_are_those_of_forward(self):
        """The maps come beside them, in the same pass."""
        network, images = _resnet(), _images(64)
        with torch.inference_mode():
            logits, maps = network.saliency(images)

            assert relative_error(logits, network(images)) < LOGIT_TOLERANCE
        assert (2, 14, 2, 2) == tuple(maps.shape)

    @pytest.mark.parametrize("side", [64, 96])
    def test_maps_equal_autograd(self, side):
        """At the output of the last stage, in float32 and, exactly, in float64."""
        network, images = _resnet(), _images(side)

        _assert_equal(network, network.layer4, images, MAP_TOLERANCE)
        network.double()
        _assert_equal(network, network.layer4, images.double(), EXACT)

    def test_maps_equal_pytorch_grad_cam_after_its_scaling(self):
        """Every finding whose raw map has a peak to speak of."""
        network, images = _resnet(), _images(96)
        with GradCAM(network, [network.layer4]) as cam:
            targets = [[ClassifierOutputTarget(finding)] * len(images) for finding in range(14)]
            library = np.stack([cam(images, target) for target in targets], axis=1)

        _assert_equal_to_the_library(network.saliency(images)[1], library, 96)

    def test_training_mode_is_refused(self):
        """Batch statistics are no property of one picture."""
        with pytest.raises(ValueError, match="eval"):
            _resnet().train().saliency(_images(64))
