"""Weights that are stored small and widened in the graph."""

from collections import defaultdict

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from models.runtime.session import open_session
from training.onnx_file import store_bytes, store_half, to_onnx


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


def test_store_bytes__keeps_products_and_convolutions_as_int8(made):
    """The table stays float16, norms and biases float32; nothing float32 is large."""
    stored = store_bytes(made[0])
    kinds: dict[int, list[int]] = defaultdict(list)
    for tensor in stored.graph.initializer:
        kinds[tensor.data_type].append(int(np.prod(tensor.dims)))

    assert sorted(kinds[TensorProto.INT8]) == [3 * 9 * 64, 32 * 64]
    assert kinds[TensorProto.FLOAT16] == [64 * 36]
    assert max(kinds[TensorProto.FLOAT]) < 1024
    onnx.checker.check_model(stored)


def test_store_bytes__rounds_each_output_by_its_own_largest(made):
    """Half a step of 1/127 at most, for the quiet outputs beside the loud one too."""
    stored = store_bytes(made[0])
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in stored.graph.initializer}
    name = next(name for name, value in values.items() if name.endswith(".bytes") and value.ndim == 4)
    back = values[name] * values[name.replace(".bytes", ".scale")]
    weight = made[2].conv.weight.detach().numpy()
    steps = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 127

    assert (np.abs(back - weight) <= 0.5001 * steps).all()


def test_store_bytes__says_nearly_what_the_graph_says(made):
    """And half the bytes of float16."""
    model, images, _ = made
    stored = store_bytes(model)

    np.testing.assert_allclose(run(stored, images), run(model, images), atol=0.02 * np.abs(run(model, images)).max())
    assert len(stored.SerializeToString()) < len(store_half(model).SerializeToString())


def test_store_half__leaves_what_it_is_told_to(made):
    """By name."""
    names = [tensor.name for tensor in made[0].graph.initializer if np.prod(tensor.dims) >= 1024]
    stored = store_half(made[0], keep=names)

    assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in stored.graph.initializer}
