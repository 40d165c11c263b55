"""A graph cut down to some outputs computes the same, and only what they need."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import InvalidBundleError
from models.runtime.onnx_prune import keep_outputs
from models.runtime.session import open_session
from tests.tiny_bundle import classifier_graph

OPSETS = [helper.make_opsetid("", 18)]
MODEL = helper.make_model(classifier_graph(32, 14), opset_imports=OPSETS, ir_version=10).SerializeToString()


def branching() -> bytes:
    """`y` = an `If` whose branches read `inner` and `bias` from outside; `z` is apart."""
    outcome = helper.make_tensor_value_info("outcome", TensorProto.FLOAT, ["n"])
    then_branch = helper.make_graph([helper.make_node("Add", ["inner", "bias"], ["outcome"])], "then", [], [outcome])
    else_branch = helper.make_graph([helper.make_node("Identity", ["inner"], ["outcome"])], "else", [], [outcome])
    nodes = [
        helper.make_node("Neg", ["x"], ["inner"]),
        helper.make_node("Exp", ["x"], ["apart"]),
        helper.make_node("If", ["yes"], ["y"], then_branch=then_branch, else_branch=else_branch),
        helper.make_node("Mul", ["apart", "unused_by_y"], ["z"]),
    ]
    values = {"bias": np.float32(1), "unused_by_y": np.float32(2), "yes": np.bool_(1)}
    vector = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y", "z")]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "branching", vector[:1], vector[1:], tensors)
    content: bytes = helper.make_model(graph, opset_imports=OPSETS, ir_version=10).SerializeToString()
    return content


class TestKeepOutputs:
    def test_what_is_left_computes_the_same(self, images: np.ndarray) -> None:
        """Bit by bit: the same nodes in the same order."""
        (whole,) = open_session(MODEL).run({"image": images}, ["logits"])
        (pruned,) = open_session(keep_outputs(MODEL, ["logits"])).run({"image": images}, ["logits"])

        np.testing.assert_array_equal(pruned, whole)

    def test_drops_nodes_weights_and_outputs_that_are_not_needed(self) -> None:
        """The file gets smaller, and stays valid ONNX."""
        pruned = onnx.load_model_from_string(keep_outputs(branching(), ["y"]))

        onnx.checker.check_model(pruned)
        assert [node.op_type for node in pruned.graph.node] == ["Neg", "If"]
        assert {tensor.name for tensor in pruned.graph.initializer} == {"bias", "yes"}
        assert [output.name for output in pruned.graph.output] == ["y"]

    def test_a_branch_reads_from_outside(self) -> None:
        """What only a subgraph needs is needed."""
        (y,) = open_session(keep_outputs(branching(), ["y"])).run({"x": np.array([1, 2], np.float32)}, ["y"])

        assert y.tolist() == [0.0, -1.0]

    def test_all_outputs_keep_all(self) -> None:
        """Nothing is lost but dead nodes, of which there are none."""
        kept = onnx.load_model_from_string(keep_outputs(MODEL, ["logits", "saliency"]))

        assert kept == onnx.load_model_from_string(MODEL)

    def test_a_graph_in_two_parts_is_one(self) -> None:
        """Protobuf's merger of repeated messages; ONNX Runtime reads it so."""
        whole = onnx.load_model_from_string(branching())
        head, tail = onnx.ModelProto(), onnx.ModelProto()
        head.CopyFrom(whole)
        tail.graph.node.extend(whole.graph.node[2:])
        del head.graph.node[2:]

        pruned = onnx.load_model_from_string(keep_outputs(head.SerializeToString() + tail.SerializeToString(), ["y"]))

        assert pruned.graph == onnx.load_model_from_string(keep_outputs(branching(), ["y"])).graph

    def test_an_output_that_is_not_there_is_refused(self) -> None:
        """Named in the message."""
        with pytest.raises(InvalidBundleError, match="probabilities"):
            keep_outputs(MODEL, ["probabilities"])
