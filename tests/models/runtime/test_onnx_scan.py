"""No file gets past the scan that reaches outside itself, however it is written."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from models.errors import InvalidBundleError
from models.runtime.onnx_scan import check_onnx
from tests.tiny_bundle import classifier_graph, reconstructor_graph

OPSETS = [helper.make_opsetid("", 18)]
VALID = helper.make_model(classifier_graph(16, 2), opset_imports=OPSETS, ir_version=10).SerializeToString()


def external(**fields: int) -> onnx.TensorProto:
    """A tensor that says its values lie in another file."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "weights")
    onnx.external_data_helper.set_external_data(tensor, location="../secret", **fields)
    tensor.ClearField("raw_data")
    return tensor


def sparse() -> onnx.SparseTensorProto:
    values = numpy_helper.from_array(np.ones(1, np.float32), "weights")
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64), "where"), [2**40])


def model_of(*nodes: onnx.NodeProto, **fields: object) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [], [])
    return helper.make_model(graph, opset_imports=OPSETS, **fields)


def subgraph(*nodes: onnx.NodeProto) -> onnx.NodeProto:
    empty, branch = (helper.make_graph(inside, "branch", [], []) for inside in ([], list(nodes)))
    return helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=empty)


def with_attribute(**fields: object) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], ["y"])
    node.attribute.append(onnx.AttributeProto(name="value", **fields))
    return node


def with_initializer(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = model_of()
    model.graph.initializer.append(tensor)
    return model


def with_sparse_initializer() -> onnx.ModelProto:
    model = model_of()
    model.graph.sparse_initializer.append(sparse())
    return model


def with_training(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = model_of()
    model.training_info.add().initialization.initializer.append(tensor)
    return model


def in_function(node: onnx.NodeProto) -> onnx.ModelProto:
    return model_of(functions=[helper.make_function("", "F", [], ["y"], [node], OPSETS)])


CUSTOM = helper.make_node("Evil", ["x"], ["y"], domain="com.example")

HIDING_PLACES: dict[str, Callable[[], onnx.ModelProto]] = {
    "external initializer": lambda: with_initializer(external()),
    "external, by offset and length": lambda: with_initializer(external(offset=4096, length=16)),
    "external in a constant": lambda: model_of(with_attribute(t=external(), type=onnx.AttributeProto.TENSOR)),
    "external in a list": lambda: model_of(with_attribute(tensors=[external()], type=onnx.AttributeProto.TENSORS)),
    "external in a branch": lambda: model_of(subgraph(with_attribute(t=external(), type=onnx.AttributeProto.TENSOR))),
    "external in training info": lambda: with_training(external()),
    "external in a function": lambda: in_function(with_attribute(t=external(), type=onnx.AttributeProto.TENSOR)),
    "location flag alone": lambda: with_initializer(TensorProto(data_location=TensorProto.EXTERNAL)),
    "sparse initializer": with_sparse_initializer,
    "sparse attribute": lambda: model_of(with_attribute(sparse_tensor=sparse())),
    "sparse list": lambda: model_of(with_attribute(sparse_tensors=[sparse()])),
    "custom operator": lambda: model_of(CUSTOM),
    "custom operator in a branch": lambda: model_of(subgraph(CUSTOM)),
    "custom operator in branches of branches": lambda: model_of(subgraph(subgraph(subgraph(CUSTOM)))),
    "custom operator in a list of graphs": lambda: model_of(with_attribute(graphs=[model_of(CUSTOM).graph])),
    "custom operator in a function": lambda: in_function(CUSTOM),
    "runtime's own operator": lambda: model_of(helper.make_node("FusedGemm", ["x"], ["y"], domain="com.microsoft")),
    "dimensions without values": lambda: with_initializer(TensorProto(dims=[2**20, 2**20], data_type=1, raw_data=b"0")),
    "negative dimension": lambda: with_initializer(TensorProto(dims=[-1], data_type=1, raw_data=b"0000")),
}


class TestCheckOnnx:
    @pytest.mark.parametrize("graph", [classifier_graph(32, 14), reconstructor_graph(32)])
    def test_passes_a_self_contained_graph(self, graph: onnx.GraphProto) -> None:
        """Standard operators, weights inside."""
        check_onnx(helper.make_model(graph, opset_imports=OPSETS).SerializeToString())

    def test_passes_branches_and_the_long_name_of_the_standard_domain(self) -> None:
        """What is refused is the content of a branch, not the branch."""
        check_onnx(model_of(subgraph(helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx"))).SerializeToString())

    @pytest.mark.parametrize(
        "tensor",
        [
            numpy_helper.from_array(np.zeros((0, 3), np.float32)),
            numpy_helper.from_array(np.array(1, np.float32)),
            numpy_helper.from_array(np.zeros((5, 7), np.float16)),
            helper.make_tensor("i", TensorProto.INT64, [3], [-1, 0, 2**40]),
            helper.make_tensor("u", TensorProto.UINT4, [9], [1] * 9),
            helper.make_tensor("b", TensorProto.BOOL, [64], [True] * 64),
            TensorProto(name="s", data_type=TensorProto.STRING, dims=[3], string_data=[b"", b"", b""]),
        ],
    )
    def test_passes_every_way_to_store_values(self, tensor: onnx.TensorProto) -> None:
        """Raw, typed, packed below a byte, scalar, empty."""
        check_onnx(with_initializer(tensor).SerializeToString())

    @pytest.mark.parametrize("place", HIDING_PLACES)
    def test_refuses(self, place: str) -> None:
        """Wherever in the file it hides."""
        with pytest.raises(InvalidBundleError):
            check_onnx(HIDING_PLACES[place]().SerializeToString())

    def test_every_occurrence_counts(self) -> None:
        """Protobuf merges two graphs into one, and the last of two domains wins: neither hides anything."""
        evil, good = model_of(CUSTOM).SerializeToString(), model_of().SerializeToString()
        for content in (evil + good, good + evil, evil + b"\x3a\x00"):
            with pytest.raises(InvalidBundleError, match=r"com\.example"):
                check_onnx(content)

    def test_field_numbers_beyond_protobufs_are_refused(self) -> None:
        """A reader that drops the high bits would see field 7, a graph, where this one sees field 2**29 + 7."""
        tag = (2**29 + 7) << 3 | 2
        encoded = bytes([tag & 0x7F | 0x80, tag >> 7 & 0x7F | 0x80, tag >> 14 & 0x7F | 0x80, tag >> 21 & 0x7F | 0x80])
        with pytest.raises(InvalidBundleError, match="field number"):
            check_onnx(VALID + encoded + bytes([tag >> 28]) + b"\x00")

    def test_the_runtimes_own_format_is_refused(self) -> None:
        """ONNX Runtime recognises it by four bytes, whatever the file is called."""
        with pytest.raises(InvalidBundleError, match="own format"):
            check_onnx(b"\x00\x00\x00\x00ORTM" + VALID)

    def test_endless_nesting_is_refused(self) -> None:
        """By a limit, not by the interpreter's stack."""
        node = helper.make_node("Relu", ["x"], ["y"])
        for _ in range(30):
            node = subgraph(node)
        with pytest.raises(InvalidBundleError, match="nests deeper"):
            check_onnx(model_of(node).SerializeToString())

    @given(content=st.binary(max_size=200))
    def test_any_bytes_pass_or_are_refused(self, content: bytes) -> None:
        """No other exception, no hang."""
        try:
            check_onnx(content)
        except InvalidBundleError:
            return

    @settings(max_examples=300)
    @given(place=st.integers(0, len(VALID) - 1), bits=st.integers(1, 255), cut=st.integers(0, 3))
    def test_what_passes_is_clean_in_the_eyes_of_onnx_too(self, place: int, bits: int, cut: int) -> None:
        """Damage a valid file anywhere: if both readers accept it, they agree that it is self-contained."""
        damaged = bytearray(VALID[: len(VALID) - cut])
        damaged[min(place, len(damaged) - 1)] ^= bits
        try:
            check_onnx(bytes(damaged))
            model = onnx.load_model_from_string(bytes(damaged))
        except Exception:  # noqa: BLE001 - either reader may refuse, protobuf with errors of its own
            return
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
        assert not any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)
        assert not model.graph.sparse_initializer
