"""What training compiles is one graph: no step of it falls back to Python in between."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.nets.densenet import DenseNetClassifier, DenseNetShape
from models.nets.resnet import ResNetClassifier, ResNetShape
from tests import goldens
from tests.goldens import relative_error

# Tracing alone: the same operators in the same order.
TOLERANCE = 1e-6

CLASSIFIERS: dict[str, Callable[[], nn.Module]] = {
    "class token": lambda: goldens.classifier("token"),
    "average pool": lambda: goldens.classifier("avg"),
    "DenseNet": lambda: DenseNetClassifier(2, DenseNetShape(4, (1, 1, 1, 1), 8)),
    "ResNet": lambda: ResNetClassifier(2, ResNetShape((1, 1, 1, 1), 4)),
}


@pytest.fixture(autouse=True)
def _forget():
    """Dynamo keeps what it traced, and gives a function up that it has traced too often."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def _trace(function):
    """Whole or not at all; `eager` runs the traced graph as it is, for code generation takes minutes."""
    return torch.compile(function, fullgraph=True, backend="eager")


def _inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 64, 64, generator=generator), torch.rand(2, 16, generator=generator)


def test_training_loss__is_one_graph():
    """With its backward pass; masks are data, so that none is drawn inside."""
    network, traced = goldens.autoencoder().train(), goldens.autoencoder().train()
    inputs = (*_inputs(), 0.75)

    expected, actual = network.training_loss(*inputs), _trace(traced.training_loss)(*inputs)
    expected.backward()
    actual.backward()

    assert expected.item() == pytest.approx(actual.item(), rel=TOLERANCE)
    gradient, expected_gradient = (each.patch_embed.proj.weight.grad for each in (traced, network))
    assert relative_error(gradient, expected_gradient) < TOLERANCE


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier__is_one_graph(name):
    """In training, with a backward pass."""
    network = CLASSIFIERS[name]().train()
    traced, (images, _) = copy.deepcopy(network), _inputs()

    expected, actual = network(images), _trace(traced)(images)
    actual.sum().backward()

    assert relative_error(actual.detach(), expected.detach()) < TOLERANCE
    assert all(parameter.grad is not None for parameter in traced.parameters())
