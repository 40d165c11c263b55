"""Int8 in a graph: what becomes int8, what stays float, and that the graph still says nearly the same."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from models.nets.kernel_head import KernelHead
from models.runtime.onnx_scan import check_onnx
from models.runtime.session import open_session
from tests.training.quantisation.conv_bundle import LAYERS, SIDE_PX, conv_model, kernel_model
from training.quantisation.graph_edit import (
    COMPARED,
    count_quantised,
    end_weights,
    float_nodes,
    kernel_constants,
    widen_weights,
)
from training.quantisation.schemes import (
    SCHEMES,
    STATIC,
    STATIC_CONVS,
    STATIC_ENDS,
    WEIGHTS,
    prepared,
    quantised,
)
from training.quantisation.weights import round_weights

DEFAULT_BUNDLE = Path(__file__).parents[3] / "models/bundles/default"

# Mean deviation, of the logits' spread: 7 and 8 bits round a product by about 1 %, and four layers add up.
CLOSE = 0.1


@pytest.fixture(name="images", scope="module")
def _images():
    """Noise: phantoms are too much alike to tell anything by their logits."""
    return np.random.Generator(np.random.PCG64(0)).integers(0, 256, (8, SIDE_PX, SIDE_PX), dtype=np.uint8)


@pytest.fixture(name="graph", scope="module")
def _graph():
    return prepared(conv_model().SerializeToString())


def logits_of(model: onnx.ModelProto, images) -> np.ndarray:
    """(N, F)."""
    (logits,) = open_session(model.SerializeToString(), threads=1).run({"image": images[:, None]}, ["logits"])
    return logits


def test_widening_leaves_no_weight_behind_a_cast(images):
    """And changes no number: float16 to float32 is exact."""
    stored = conv_model()

    wide = widen_weights(stored)

    assert 2 == sum(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in stored.graph.initializer)
    assert not any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in wide.graph.initializer)
    assert ["image"] == [node.input[0] for node in wide.graph.node if node.op_type == "Cast"]
    assert np.array_equal(logits_of(stored, images), logits_of(wide, images))


def test_what_only_the_maps_need_stays_float():
    """And layers of other kinds, and those whose weights are to be kept."""
    wide = widen_weights(conv_model())
    names = set(float_nodes(wide.graph))

    assert ("evidence" in names, names & set(LAYERS)) == (True, set())
    assert {"mix", "head"} == set(float_nodes(wide.graph, kinds=("Conv",))) - names
    assert {"conv2"} == set(float_nodes(wide.graph, kept=("conv2.weight",))) - names


def test_every_way_to_the_logits_has_its_ends():
    """Two branches that meet in the logits, of three layers and of one, and a layer that only maps need."""
    nodes = [
        helper.make_node("MatMul", ["x", "a1"], ["a"]),
        helper.make_node("MatMul", ["a", "a2"], ["b"]),
        helper.make_node("MatMul", ["b", "a3"], ["c"]),
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("MatMul", ["y", "b1"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["logits"]),
        helper.make_node("MatMul", ["d", "map"], ["saliency"]),
    ]
    for place, node in enumerate(nodes):
        node.name = f"node {place}"
    tensors = [numpy_helper.from_array(np.eye(2, dtype=np.float32), name) for name in ("a1", "a2", "a3", "b1", "map")]
    graph = helper.make_graph(nodes, "two ways", [], [], tensors)

    assert {"a1", "a3", "b1"} == end_weights(graph)
    assert {"conv1.weight", "head.weight"} == end_weights(widen_weights(conv_model()).graph)


def test_a_kernel_head_is_known_by_its_buffers():
    """Those that the network has, under the names that the default bundle's export gave them."""
    graph = widen_weights(onnx.load(DEFAULT_BUNDLE / "classifier.onnx")).graph
    found = kernel_constants(graph)
    heads = {name.removesuffix("supports") for name in found if name.endswith(".supports")}

    assert set(COMPARED) == {name for name, _ in KernelHead(1, 1, 1).named_buffers()}
    assert 1 == len(heads)
    assert {f"{head}{buffer}" for head in heads for buffer in COMPARED} <= found


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_what_a_kernel_head_compares_with_is_not_rounded(scheme, images):
    """Nor is what follows from it, as the squared lengths of its supports do; what lies before it is."""
    graph = prepared(kernel_model().SerializeToString())
    made = quantised(graph, scheme, images)
    in_bytes = {tensor.name for tensor in made.graph.initializer if tensor.data_type == onnx.TensorProto.INT8}

    assert {"kernel.supports", "lengths", "turned"} <= graph.kept
    assert not graph.kept & {"conv1.weight", "conv2.weight", "mix.weight"}
    assert not {name for name in in_bytes if name.startswith(("kernel.", "turned", "lengths"))}
    assert any(name.startswith("mix.weight") for name in in_bytes)
    held = [tensor.name for tensor in made.graph.initializer]
    assert 1 == sum(name.startswith("kernel.supports") for name in held)
    assert not [name for name in held if name.startswith("turned")]


# The maps' product shares its inputs with the head: where those are int8, so is it.
@pytest.mark.parametrize(("scheme", "num_layers"), [(STATIC, 5), (STATIC_ENDS, 2), (STATIC_CONVS, 1), (WEIGHTS, 0)])
def test_a_scheme_puts_its_layers_into_int8(scheme, num_layers, graph, images):
    """The graph passes the scan of bundles, gets smaller than in float16, and says nearly the same."""
    model = quantised(graph, scheme, images[:4])
    content = model.SerializeToString()
    check_onnx(content)
    before, after = logits_of(conv_model(), images), logits_of(model, images)

    assert num_layers == count_quantised(model.graph)
    assert {"logits", "saliency"} == {output.name for output in model.graph.output}
    assert 0 < np.abs(after - before).max()
    assert np.abs(after - before).mean() < CLOSE * before.std()
    # The answer to a picture does not depend on those beside it.
    assert after == pytest.approx(np.concatenate([logits_of(model, image[None]) for image in images]), abs=1e-5)


def test_the_same_pictures_give_the_same_bytes(graph, images):
    """A bundle's hash is to mean something."""
    first, second = (quantised(graph, STATIC, images[:4]).SerializeToString(deterministic=True) for _ in range(2))

    assert first == second


def test_a_rounded_weight_is_within_half_a_step_of_itself():
    """A step is 1/127 of the channel's largest weight, along the axis of outputs."""
    wide = widen_weights(conv_model())
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in round_weights(wide).graph.initializer}
    before = {tensor.name: numpy_helper.to_array(tensor) for tensor in wide.graph.initializer}

    for name, axes in (("conv2.weight", (1, 2, 3)), ("mix.weight", (0,))):
        levels, scale = tensors[f"{name}.int8"], tensors[f"{name}.scale"]
        assert (np.dtype(np.int8), 127) == (levels.dtype, np.abs(levels).max())
        assert scale == pytest.approx(np.abs(before[name]).max(axis=axes, keepdims=True) / 127)
        assert (np.abs(levels * scale - before[name]) <= 0.501 * scale).all()


def test_every_scheme_has_its_name():
    """The command line knows them by it."""
    assert len(SCHEMES) == len({scheme.name for scheme in SCHEMES})
