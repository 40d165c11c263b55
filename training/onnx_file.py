"""Writing ONNX: one self-contained file, dynamic batch, large weights stored as float16 and widened in the graph."""

import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 20
_SMALLEST_HALF = 1024  # elements; biases and norms stay float32, they weigh nothing and carry the scale


def to_onnx(
    module: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """Trace a module in eval mode into one ONNX model with its weights inside.

    Args:
        module: takes the inputs by position.
        example: an input for each name; no dynamic axis may have the extent 1.
        outputs: names of the results in order.
        dynamic: for each input, its free axes and their names.
    """
    shapes = tuple({axis: torch.export.Dim(name) for axis, name in dynamic[key].items()} for key in example)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            module.eval(),
            tuple(example.values()),
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the exporter gave no program")
    model = program.model_proto
    _drop_traces(model)
    onnx.checker.check_model(model)
    return model


def store_half(model: onnx.ModelProto, keep: Collection[str] = ()) -> onnx.ModelProto:
    """A copy whose large float32 weights are float16, each followed by a Cast; the arithmetic stays float32.

    ONNX Runtime folds the casts when it makes a session, so that only the file gets smaller.

    Args:
        model: is not changed.
        keep: names of weights that stay as they are.

    Raises:
        ValueError: a weight does not fit float16's range.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    casts = []
    for tensor in small.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALLEST_HALF or tensor.name in keep:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(f"{tensor.name} does not fit float16")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.widen", to=TensorProto.FLOAT))
    nodes = [*casts, *small.graph.node]
    del small.graph.node[:]
    small.graph.node.extend(nodes)
    onnx.checker.check_model(small)
    return small


def write_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write one file; external data is not used, whatever the size."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def _drop_traces(model: onnx.ModelProto) -> None:
    """Remove stack traces and source paths that the exporter leaves: they name the machine and change the hash."""
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
