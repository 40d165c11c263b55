"""Weights as int8 that are widened in the graph: which they are, how far they are off, what the graph still says."""

from collections import defaultdict

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from models.runtime.session import open_session
from training.onnx_file import to_onnx
from training.quantisation.graph_edit import SCALE
from training.quantisation.weights import round_weights


class _Mixed(nn.Module):
    """A convolution, a product and a table that is added: all large enough to be stored small."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3)
        self.table = nn.Parameter(torch.randn(64, 6, 6))
        self.out = nn.Linear(64, 32)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.out((self.conv(image) + self.table).flatten(2).transpose(1, 2))
        return scores


@pytest.fixture(name="made", scope="module")
def _made():
    torch.manual_seed(0)
    module = _Mixed().eval()
    with torch.no_grad():
        module.conv.weight[7] *= 100  # a loud output must not coarsen the others
    images = torch.randn(2, 3, 8, 8)
    return to_onnx(module, {"image": images}, ("out",), {"image": {0: "batch"}}), images.numpy(), module


def run(model, images):
    return open_session(model.SerializeToString()).run({"image": images}, ["out"])[0]


def test_round_weights__keeps_products_and_convolutions_as_int8(made):
    """The table, which is added, stays float32."""
    stored = round_weights(made[0])
    kinds: dict[int, list[int]] = defaultdict(list)
    for tensor in stored.graph.initializer:
        kinds[tensor.data_type].append(int(np.prod(tensor.dims)))

    assert sorted(kinds[TensorProto.INT8]) == [3 * 9 * 64, 32 * 64]
    assert sorted(kinds[TensorProto.FLOAT])[-2:] == [64, 64 * 36]
    onnx.checker.check_model(stored)


def test_round_weights__rounds_each_output_by_its_own_largest(made):
    """Half a step of 1/127 at most, for the quiet outputs beside the loud one too."""
    stored = round_weights(made[0])
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in stored.graph.initializer}
    name = next(name for name, value in values.items() if name.endswith(".int8") and value.ndim == 4)
    back = values[name] * values[name.replace(".int8", SCALE)]
    weight = made[2].conv.weight.detach().numpy()
    steps = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 127

    assert (np.abs(back - weight) <= 0.5001 * steps).all()


def test_round_weights__leaves_alone_what_it_is_told_to(made):
    """The convolution stays float32, the product does not."""
    name = next(one.name for one in made[0].graph.initializer if len(one.dims) == 4)
    stored = {one.name: one for one in round_weights(made[0], keep={name}).graph.initializer}

    assert TensorProto.FLOAT == stored[name].data_type
    assert 1 == sum(one.data_type == TensorProto.INT8 for one in stored.values())


def test_round_weights__says_nearly_what_the_graph_says(made):
    """And takes a quarter of the bytes."""
    model, images, _ = made
    stored = round_weights(model)

    np.testing.assert_allclose(run(stored, images), run(model, images), atol=0.02 * np.abs(run(model, images)).max())
    weights = sum(np.prod(one.dims) for one in model.graph.initializer if one.name.endswith("weight"))
    assert len(model.SerializeToString()) - len(stored.SerializeToString()) > 2.5 * weights
