"""What has to be done to a bundle's graph before it is quantised, and what of it stays in float."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTED = ("Conv", "MatMul", "Gemm")  # what is quantised: nearly all of the arithmetic, and nearly all of the bytes
_LOGITS = "logits"


def widen_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without the casts behind weights stored as float16 (docs/decisions/0010): the weights are float32.

    A quantiser takes a weight for one only where it is a constant. Nodes without a name get one.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in wide.graph.initializer}
    kept = []
    for place, node in enumerate(wide.graph.node):
        half = tensors.get(node.input[0]) if _widens(node) else None
        if half is None:
            node.name = node.name or f"{node.op_type}_{place}"
            kept.append(node)
            continue
        values = numpy_helper.to_array(half).astype(np.float32)
        wide.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    nodes = list(kept)
    del wide.graph.node[:]
    wide.graph.node.extend(nodes)
    _drop_unused(wide.graph)
    return wide


def float_nodes(graph: onnx.GraphProto, *, ends_too: bool) -> list[str]:
    """Names of nodes that stay in float.

    Args:
        graph: in topological order, with the output `logits`.
        ends_too: also the first and the last layer with weights on the way to the logits.

    Returns:
        Nodes that only the saliency maps need: a map is scaled by its own maximum, so rounding shows in it at once.
        Products of two activations (attention), whose ranges differ from picture to picture. Both cost next to
        nothing. Then, if wanted, the ends. What such a node shares with a layer in int8 still comes to it rounded.
    """
    needed = {_LOGITS}
    on_the_way = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            on_the_way.append(node)
    names = {node.name for node in on_the_way}
    aside = [node.name for node in graph.node if node.name not in names]
    constants = {tensor.name for tensor in graph.initializer}
    weighted = [node for node in reversed(on_the_way) if node.op_type in WEIGHTED]
    layers = [node.name for node in weighted if node.input[1] in constants]
    products = [node.name for node in weighted if node.input[1] not in constants]
    return [*aside, *products, *(dict.fromkeys((layers[0], layers[-1])) if ends_too and layers else ())]


def scales_of(graph: onnx.GraphProto) -> frozenset[str]:
    """Names of the constants that (de)quantising nodes scale by; rounded, they would move every number they touch."""
    kinds = ("QuantizeLinear", "DequantizeLinear")
    return frozenset(node.input[1] for node in graph.node if node.op_type in kinds)


def count_quantised(graph: onnx.GraphProto) -> int:
    """Layers with weights that compute in int8."""
    made_of = {name: node for node in graph.node for name in node.output}
    return sum(
        all(_is_dequantised(made_of.get(name)) for name in node.input[:2])
        for node in graph.node
        if node.op_type in WEIGHTED
    )


def _is_dequantised(node: onnx.NodeProto | None) -> bool:
    return node is not None and node.op_type == "DequantizeLinear"


def _widens(node: onnx.NodeProto) -> bool:
    targets = [helper.get_attribute_value(one) for one in node.attribute if one.name == "to"]
    return node.op_type == "Cast" and targets == [TensorProto.FLOAT]


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
