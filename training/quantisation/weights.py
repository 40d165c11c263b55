"""Weights as int8, the arithmetic in float: a quarter of float32's bytes, a half of float16's, and no faster."""

from collections.abc import Collection

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.quantisation.graph_edit import SCALE, WEIGHTED

_SMALLEST = 1024  # elements, as for float16 (training/onnx_file.py)
_LARGEST = 127


def round_weights(model: onnx.ModelProto, smallest: int = _SMALLEST, keep: Collection[str] = ()) -> onnx.ModelProto:
    """A copy whose float32 weights of `smallest` elements or more are int8, each behind a Cast and its outputs' scales.

    Those named in `keep` stay as they are.

    ONNX Runtime folds both when it makes a session. It does not fold a DequantizeLinear, and multiplies more slowly by
    a weight that is no constant.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    axis_of = {node.input[1]: _output_axis(node) for node in small.graph.node if node.op_type in WEIGHTED}
    widened = []
    for tensor in [*small.graph.initializer]:
        axis = axis_of.get(tensor.name)
        if (
            axis is None
            or tensor.name in keep
            or tensor.data_type != TensorProto.FLOAT
            or np.prod(tensor.dims) < smallest
        ):
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        axis %= values.ndim
        levels, scale = _rounded(values, axis)
        tensor.CopyFrom(numpy_helper.from_array(levels, f"{name}.int8"))
        small.graph.initializer.append(numpy_helper.from_array(scale, f"{name}{SCALE}"))
        widened += [
            helper.make_node("Cast", [f"{name}.int8"], [f"{name}.levels"], name=f"{name}.widen", to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.levels", f"{name}{SCALE}"], [name], name=f"{name}.rescale"),
        ]
    nodes = [*widened, *small.graph.node]
    del small.graph.node[:]
    small.graph.node.extend(nodes)
    return small


def _rounded(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels in -127..127, and the scale of each channel, ready to broadcast; a channel of zeros has the scale 1."""
    others = tuple(place for place in range(values.ndim) if place != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(_LARGEST), np.float32(1)).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale


def _output_axis(node: onnx.NodeProto) -> int:
    """Of the weight, the axis along which outputs lie."""
    if node.op_type == "Conv":
        return 0
    is_transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return 0 if is_transposed else -1
