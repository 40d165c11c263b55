"""A bundle whose classifier has what a quantiser meets: convolutions, a matrix product, a head, maps beside it."""

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.labels import CHESTXRAY14
from models.runtime.bundle import write_manifest
from models.runtime.manifest import ClassifierSpec, Finding, InputSpec, Manifest, ThresholdSet
from training.onnx_file import store_half

Kind = Literal["usual", "exact", "delicate"]

SIDE_PX, GRID = 32, 8
LAYERS = ("conv1", "conv2", "mix", "head")


def conv_model(kind: Kind = "usual") -> onnx.ModelProto:
    """`image` to `logits`, `saliency`, weights stored as export stores them.

    Args:
        kind: "exact" has weights that int8 holds without rounding. "delicate" has one enormous weight in each channel
            of `conv2`, on an input that is always 0: in float it changes nothing, in int8 all other weights of the
            channel are rounded to 0 beside it.
    """
    generator = np.random.Generator(np.random.PCG64(3))

    def weight(*shape: int, axis: int = 0) -> np.ndarray:
        """Levels of -127 to 127 over a power of two, the largest in every channel, or a normal draw."""
        if kind != "exact":
            return (generator.normal(size=shape) / 4).astype(np.float32)
        levels = generator.integers(-127, 128, (shape[axis], *np.delete(shape, axis)))
        levels.reshape(len(levels), -1)[:, 0] = 127
        return np.ascontiguousarray(np.moveaxis(levels, 0, axis) / 256, np.float32)

    bias = np.zeros(8, np.float32)
    bias[0] = -1e3  # the first channel is cut to 0 by its Relu
    constants = {
        "white": np.array(255, np.float32),
        "conv1.weight": weight(8, 1, 5, 5),
        "conv1.bias": bias,
        "conv2.weight": weight(16, 8, 3, 3),
        "mix.weight": weight(16, 64, axis=1),
        "head.weight": weight(64, 14, axis=1),
        "head.bias": np.full(14, 0.1, np.float32),
        "tokens_shape": np.array([0, 16, GRID * GRID]),
        "maps_shape": np.array([0, 14, GRID, GRID]),
        "axis_1": np.array([1]),
    }
    if kind == "delicate":
        constants["conv2.weight"][:, 0] = 1e4
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["grey", "white"], ["unit"]),
        helper.make_node("Conv", ["unit", "conv1.weight", "conv1.bias"], ["c1"], "conv1", strides=[2, 2], pads=[2] * 4),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "conv2.weight"], ["c2"], "conv2", strides=[2, 2], pads=[1] * 4),
        helper.make_node("Relu", ["c2"], ["features"]),
        helper.make_node("Reshape", ["features", "tokens_shape"], ["channels"]),
        helper.make_node("Transpose", ["channels"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["tokens", "mix.weight"], ["mixed"], "mix"),
        helper.make_node("Relu", ["mixed"], ["activated"]),
        helper.make_node("ReduceMean", ["activated", "axis_1"], ["pooled"], keepdims=0),
        helper.make_node("Gemm", ["pooled", "head.weight", "head.bias"], ["logits"], "head"),
        helper.make_node("MatMul", ["activated", "head.weight"], ["evidence"], "evidence"),
        helper.make_node("Transpose", ["evidence"], ["by_finding"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["by_finding", "maps_shape"], ["grid"]),
        helper.make_node("Relu", ["grid"], ["saliency"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, SIDE_PX, SIDE_PX])
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 14]),
        helper.make_tensor_value_info("saliency", TensorProto.FLOAT, ["batch", 14, GRID, GRID]),
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "conv", [image], outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return store_half(model)


def kernel_model(num_supports: int = 40) -> onnx.ModelProto:
    """`conv_model` with a kernel head for its linear one, as `models.nets.kernel_head` is exported, and its pulls."""
    model = conv_model()
    generator = np.random.Generator(np.random.PCG64(4))
    head = {
        "kernel.centre": generator.normal(size=64),
        "kernel.metric": generator.normal(size=(64, 64)) / 64,
        "kernel.supports": generator.normal(size=(num_supports, 64)) / 8,
        "kernel.weight": generator.normal(size=(14, num_supports)),
        "kernel.bias": np.zeros(14),
        "two": np.array(2.0),
    }
    nodes = [
        helper.make_node("Sub", ["pooled", "kernel.centre"], ["centred"]),
        helper.make_node("MatMul", ["centred", "kernel.metric"], ["placed"]),
        helper.make_node("Pow", ["kernel.supports", "two"], ["squared"]),
        helper.make_node("ReduceSum", ["squared", "axis_1"], ["lengths"], keepdims=0),
        helper.make_node("Transpose", ["kernel.supports"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["placed", "turned"], ["products"]),
        helper.make_node("Pow", ["placed", "two"], ["placed_squared"]),
        helper.make_node("ReduceSum", ["placed_squared", "axis_1"], ["length"], keepdims=1),
        helper.make_node("Add", ["length", "lengths"], ["both"]),
        helper.make_node("Mul", ["products", "two"], ["doubled"]),
        helper.make_node("Sub", ["doubled", "both"], ["nearness"]),
        helper.make_node("Exp", ["nearness"], ["likeness"]),
        helper.make_node("Gemm", ["likeness", "kernel.weight", "kernel.bias"], ["logits"], transB=1),
        helper.make_node("MatMul", ["likeness", "kernel.supports"], ["pulls"]),
    ]
    names = [node.output[0] for node in model.graph.node]
    before = model.graph.node[: names.index("pooled") + 1]
    outputs = [model.graph.output[0], helper.make_tensor_value_info("pulls", TensorProto.FLOAT, ["batch", 64])]
    tensors = [*model.graph.initializer, *(numpy_helper.from_array(v.astype(np.float32), k) for k, v in head.items())]
    graph = helper.make_graph([*before, *nodes], "kernel", model.graph.input, outputs, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return store_half(made)


def write_conv_bundle(folder: Path, kind: Kind = "usual") -> Manifest:
    """The model as a bundle without a reconstructor, with a card."""
    folder.mkdir()
    model = conv_model(kind)
    (folder / "classifier.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "README.md").write_text("# conv 1.0.0\n\n## What it does\n\nNothing.\n")
    findings = tuple(Finding(name=name, display=name, threshold=0.5) for name in CHESTXRAY14)
    manifest = Manifest(
        name="conv",
        version="1.0.0",
        findings=findings,
        thresholds=ThresholdSet(name="half"),
        input=InputSpec(side=SIDE_PX, geometry="letterbox"),
        classifier=ClassifierSpec(file="classifier.onnx", saliency_grid=GRID, saliency_layer="mix", head="average"),
        provenance={"purpose": "tests"},
    )
    return write_manifest(folder, manifest)
