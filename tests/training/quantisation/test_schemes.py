"""Int8 in a graph: what becomes int8, what stays float, and that the graph still says nearly the same."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.runtime.onnx_scan import check_onnx
from models.runtime.session import open_session
from tests.training.quantisation.conv_bundle import LAYERS, SIDE_PX, conv_model
from training.quantisation.graph_edit import count_quantised, float_nodes, widen_weights
from training.quantisation.schemes import SCHEMES, STATIC, STATIC_ENDS, WEIGHTS, prepared, quantised
from training.quantisation.weights import round_weights

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
    """And, where they are wanted, the first and the last layer on the way to the logits."""
    wide = widen_weights(conv_model())
    names = set(float_nodes(wide.graph, ends_too=False))

    assert ("evidence" in names, names & set(LAYERS)) == (True, set())
    assert {"conv1", "head"} == set(float_nodes(wide.graph, ends_too=True)) - names


# The maps' product shares its inputs with the head: where those are int8, so is it.
@pytest.mark.parametrize(("scheme", "num_layers"), [(STATIC, 5), (STATIC_ENDS, 2), (WEIGHTS, 0)])
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
