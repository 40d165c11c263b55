"""What has to be done to a bundle's graph before it is quantised, and what of it stays in float."""

from collections.abc import Collection, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTED = ("Conv", "MatMul", "Gemm")  # what is quantised: nearly all of the arithmetic, and nearly all of the bytes
SCALE = ".scale"  # what the names of scales of rounded weights end in
_LOGITS = "logits"
COMPARED = ("centre", "metric", "supports", "weight", "bias")  # the buffers of a kernel head


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


def float_nodes(graph: onnx.GraphProto, *, kinds: Collection[str] = WEIGHTED, kept: Collection[str] = ()) -> list[str]:
    """Names of nodes that stay in float.

    Args:
        graph: in topological order, with the output `logits`.
        kinds: of layers that need not stay.
        kept: names of weights that are not to be rounded.

    Returns:
        Nodes that only the saliency maps need: a map is scaled by its own maximum, so rounding shows in it at once.
        Products of two activations (attention), whose ranges differ from picture to picture. Both cost next to
        nothing. Then layers of other kinds and of kept weights. What such a node shares with a layer in int8 still
        comes to it rounded.
    """
    on_the_way, layers = _on_the_way(graph)
    names, weighted = {node.name for node in on_the_way}, {node.name for node in layers}
    aside = [node.name for node in graph.node if node.name not in names]
    products = [node.name for node in on_the_way if node.op_type in WEIGHTED and node.name not in weighted]
    others = [node.name for node in layers if node.op_type not in kinds or node.input[1] in kept]
    return [*aside, *products, *others]


def end_weights(graph: onnx.GraphProto) -> frozenset[str]:
    """Names of the weights of the first and the last layers on the ways to the logits; a committee has several."""
    on_the_way, layers = _on_the_way(graph)
    firsts = _first(layers, [(node, node.input, node.output) for node in on_the_way])
    lasts = _first(layers, [(node, node.output, node.input) for node in reversed(on_the_way)])
    return frozenset(firsts + lasts)


def kernel_constants(graph: onnx.GraphProto) -> frozenset[str]:
    """Names of what kernel heads compare with, and of all that is computed from it and constants alone.

    A kernel head (`models.nets.kernel_head`) is known by the names of its buffers. Its distances are small differences
    of large numbers: rounded to bytes, they are wrong by more than they differ.
    """
    constants = {tensor.name for tensor in graph.initializer}
    heads = [name.removesuffix("supports") for name in constants if name.endswith(".supports")]
    found = {f"{head}{buffer}" for head in heads for buffer in COMPARED} & constants
    for node in graph.node:
        if constants.issuperset(node.input):
            constants.update(node.output)
            if found.intersection(node.input):
                found.update(node.output)
    return frozenset(found)


def turn_again(model: onnx.ModelProto, before: onnx.GraphProto, names: Collection[str]) -> None:
    """Undo the folding of transposed constants, in place: folded, a file holds them a second time.

    Args:
        model: with constants folded.
        before: the graph that it was, of the same names.
        names: of constants that are not to be rounded; others become constants of their own.
    """
    held = {tensor.name for tensor in model.graph.initializer}
    turns = [
        node
        for node in before.node
        if node.op_type == "Transpose" and node.output[0] in names and held.issuperset([*node.input, *node.output])
    ]
    nodes = [*turns, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    folded = {node.output[0] for node in turns}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in folded]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _on_the_way(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """Nodes that the logits follow from, in their order, and those of them that are layers with weights."""
    needed, found = {_LOGITS}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            found.append(node)
    found.reverse()
    constants = {tensor.name for tensor in graph.initializer}
    return found, [node for node in found if node.op_type in WEIGHTED and node.input[1] in constants]


def _first(
    layers: Sequence[onnx.NodeProto], way: Sequence[tuple[onnx.NodeProto, Sequence[str], Sequence[str]]]
) -> list[str]:
    """Weights of the layers that nothing with weights comes before, on a way of nodes, what they take and give."""
    names = {node.name for node in layers}
    behind: set[str] = set()
    found = []
    for node, taken, given in way:
        is_layer, is_behind = node.name in names, bool(behind.intersection(taken))
        if is_layer and not is_behind:
            found.append(node.input[1])
        if is_layer or is_behind:
            behind.update(given)
    return found


def scales_of(graph: onnx.GraphProto) -> frozenset[str]:
    """Names of the constants that int8 is scaled by; rounded, they would move every number they touch."""
    kinds = ("QuantizeLinear", "DequantizeLinear")
    scales = {node.input[1] for node in graph.node if node.op_type in kinds}
    return frozenset(scales | {tensor.name for tensor in graph.initializer if tensor.name.endswith(SCALE)})


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
