"""Ways to put int8 into a classifier's graph, and the only door of ONNX Runtime's quantiser.

Weights are rounded to 7 of their 8 bits where activations are int8 too: without VNNI a processor adds two products in
16 bits, which 8 times 8 bits overflow. What is measured on one machine then holds on another.

There is no scheme that takes the ranges of activations from what it is given (ONNX Runtime's dynamic quantisation): it
takes them over the whole batch, so that the answer to a picture would depend on the pictures beside it.
"""

import models.runtime.session  # noqa: F401  # sets what ONNX Runtime reads when it is imported, so it comes first

# isort: split
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from training.onnx_file import store_half
from training.quantisation.graph_edit import (
    WEIGHTED,
    end_weights,
    float_nodes,
    kernel_constants,
    scales_of,
    turn_again,
    widen_weights,
)
from training.quantisation.weights import round_weights

_ERRORS_ONLY = 3
# They are merged into the layer before them, whose range is then that of what they let through.
_RECTIFIERS = ("Relu", "Clip")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way.

    Attributes:
        name: for the command line.
        text: for people.
        layers: kinds of them that compute in int8; without any, only the file gets smaller.
        are_ends_float: the first and the last on the ways to the logits are not among them.
        is_rest_rounded: layers of other kinds have int8 weights, with their arithmetic in float.
    """

    name: str
    text: str
    layers: Sequence[str] = WEIGHTED
    are_ends_float: bool = True
    is_rest_rounded: bool = False

    @property
    def is_faster(self) -> bool:
        """It computes in int8."""
        return bool(self.layers)


STATIC = Scheme("static", "int8 weights and activations, ranges from calibration images", are_ends_float=False)
STATIC_ENDS = Scheme("static-ends", f"{STATIC.text}; first and last layers in float")
STATIC_CONVS = Scheme(
    "static-convs",
    f"convolutions but the first: {STATIC.text}; other layers: int8 weights, arithmetic in float",
    ("Conv",),
    is_rest_rounded=True,
)
WEIGHTS = Scheme("weights", "int8 weights, arithmetic in float", (), are_ends_float=False, is_rest_rounded=True)
SCHEMES = (STATIC, STATIC_ENDS, STATIC_CONVS, WEIGHTS)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph that can be quantised.

    Attributes:
        model: float32 weights, constants folded, batch norms merged into convolutions.
        kept: names of weights that stay as they are.
    """

    model: onnx.ModelProto
    kept: frozenset[str]


def prepared(model: bytes) -> Prepared:
    """From a bundle's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = SessionOptions()
        options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = _ERRORS_ONLY
        wide = widen_weights(onnx.load_from_string(model))
        InferenceSession(wide.SerializeToString(), options, providers=["CPUExecutionProvider"])
        graph = Prepared(onnx.load(path), kernel_constants(wide.graph))
        turn_again(graph.model, wide.graph, graph.kept)
        return graph


def quantised(graph: Prepared, scheme: Scheme, calibration: NDArray[np.uint8]) -> onnx.ModelProto:
    """Quantise a prepared graph; its inputs and outputs stay as they are.

    Args:
        graph: is not changed.
        scheme: one of `SCHEMES`.
        calibration: (N, S, S), pictures that show the range of activations.
    """
    model, kept = graph.model, graph.kept
    if scheme.are_ends_float:
        kept |= end_weights(model.graph)
    if scheme.layers:
        model = _computing_in_bytes(
            model, float_nodes(model.graph, kinds=scheme.layers, kept=kept), scheme, calibration
        )
    if scheme.is_rest_rounded:
        model = round_weights(model, keep=kept)
    return _stored(model)


def _computing_in_bytes(
    model: onnx.ModelProto, aside: Sequence[str], scheme: Scheme, calibration: NDArray[np.uint8]
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = (str(Path(folder) / name) for name in ("float.onnx", "int8.onnx"))
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Pictures(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*scheme.layers, *_RECTIFIERS],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=aside,
        )
        return onnx.load(target)


def _stored(model: onnx.ModelProto) -> onnx.ModelProto:
    """As export leaves a graph: large float weights as float16, nothing that tells of its making."""
    small = store_half(model, keep=scales_of(model.graph))
    domains = [one for one in small.opset_import if one.domain in ("", "ai.onnx")]
    kept = [(one.domain, one.version) for one in domains]
    del small.opset_import[:]
    small.opset_import.extend(onnx.helper.make_opsetid(*one) for one in kept)
    del small.metadata_props[:]
    del small.graph.value_info[:]
    onnx.checker.check_model(small)
    return small


class _Pictures(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime is untyped
    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image[None, None]}


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser warns on the root logger of a pre-processing that has been done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
