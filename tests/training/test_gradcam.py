"""pytorch-grad-cam on every kind of network: the oracle says what the closed forms say."""

import numpy as np
import pytest
import torch

from models.nets.architecture import Classifier
from models.nets.densenet import DenseNetClassifier, DenseNetShape
from models.nets.resnet import ResNetClassifier, ResNetShape
from models.nets.vit import VitClassifier, VitShape
from tests.training.tiny import spread
from training.gradcam import gradcam_maps, gradcam_of
from training.parity import GRADCAM_TOLERANCE, scaled_like_gradcam

NUM_FINDINGS, SIDE_PX = 3, 64


def network(kind: str) -> Classifier:
    """A small one of a kind."""
    torch.manual_seed(0)
    if kind == "densenet":
        return spread(DenseNetClassifier(NUM_FINDINGS, DenseNetShape(8, (1, 1, 2, 2), 8)))
    if kind == "resnet":
        return spread(ResNetClassifier(NUM_FINDINGS, ResNetShape((1, 1, 1, 1), 8)))
    return spread(VitClassifier(VitShape(48, 2, 3), num_findings=NUM_FINDINGS, head=kind, image_size_px=SIDE_PX))


@pytest.fixture(name="images")
def _images() -> torch.Tensor:
    return torch.randn(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["token", "avg", "densenet", "resnet"])
def test_gradcam_maps__are_those_of_the_closed_form(kind, images):
    """At the layers that the paper names, after that library's scaling."""
    explained = network(kind)

    oracle = gradcam_maps(explained, images)

    with torch.inference_mode():
        _, maps = explained.saliency(images)
    assert oracle.max() == pytest.approx(1, abs=GRADCAM_TOLERANCE)
    assert scaled_like_gradcam(maps.numpy(), SIDE_PX) == pytest.approx(oracle, abs=GRADCAM_TOLERANCE)


@pytest.mark.parametrize("kind", ["token", "densenet", "resnet"])
def test_gradcam_of__explains_another_finding_in_each_image(kind, images):
    """One backward pass for all images gives the columns of the full result."""
    explained = network(kind)

    maps = gradcam_of(explained, images, [2, 0])

    full = gradcam_maps(explained, images)
    assert np.stack([full[0, 2], full[1, 0]]) == pytest.approx(maps, abs=GRADCAM_TOLERANCE)
