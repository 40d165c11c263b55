"""A graph is put together with weights from another file: those it lacks, no others, or it is refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import InvalidBundleError
from models.runtime.onnx_borrow import borrow_weights
from models.runtime.onnx_scan import check_onnx
from models.runtime.session import open_session

OPSETS = [helper.make_opsetid("", 18)]


def model(nodes, values, inputs=("x",)) -> bytes:
    """Vectors in, `y` out."""
    vectors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in (*inputs, "y")]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "graph", vectors[:-1], vectors[-1:], tensors)
    content: bytes = helper.make_model(graph, opset_imports=OPSETS, ir_version=10).SerializeToString()
    return content


LENDER = model(
    [helper.make_node("Mul", ["x", "gain"], ["y"])],
    {"gain": np.float32(3), "bias": np.float32(5), "x2": np.float32(7)},
)
NODES = [helper.make_node("Mul", ["x", "gain"], ["scaled"]), helper.make_node("Add", ["scaled", "bias"], ["y"])]


def run(content: bytes) -> list[float]:
    """Of 1 and 2."""
    (y,) = open_session(content).run({"x": np.array([1, 2], np.float32)}, ["y"])
    values: list[float] = y.tolist()
    return values


class TestBorrowWeights:
    def test_what_a_graph_lacks_comes_from_the_lender(self) -> None:
        """And what it has stays its own, though the lender has the name, too."""
        assert run(borrow_weights(model(NODES, {}), LENDER)) == [8, 11]
        assert run(borrow_weights(model(NODES, {"bias": np.float32(-1)}), LENDER)) == [2, 5]

    def test_nothing_else_comes_along(self) -> None:
        """Neither weights that nobody reads nor the lender's nodes; the result passes every check."""
        whole = borrow_weights(model(NODES, {}), LENDER)
        graph = onnx.load_model_from_string(whole).graph

        check_onnx(whole)
        onnx.checker.check_model(whole)
        assert {one.name for one in graph.initializer} == {"gain", "bias"}
        assert [node.op_type for node in graph.node] == ["Mul", "Add"]

    def test_a_complete_graph_is_itself(self) -> None:
        """An empty name is an input that a node goes without; an output of a branch is no weight."""
        outcome = helper.make_tensor_value_info("outcome", TensorProto.FLOAT, ["n"])
        branch = helper.make_graph(
            [helper.make_node("Clip", ["x", "", "most"], ["inner"]), helper.make_node("Neg", ["inner"], ["outcome"])],
            "branch",
            [],
            [outcome],
        )
        nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]
        complete = model(nodes, {"yes": np.bool_(1), "most": np.float32(1.5)})

        assert onnx.load_model_from_string(borrow_weights(complete, LENDER)) == onnx.load_model_from_string(complete)

    def test_a_branch_may_borrow(self) -> None:
        """What only a subgraph reads is looked for, too."""
        outcome = helper.make_tensor_value_info("outcome", TensorProto.FLOAT, ["n"])
        branch = helper.make_graph([helper.make_node("Mul", ["x", "gain"], ["outcome"])], "branch", [], [outcome])
        nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]

        assert run(borrow_weights(model(nodes, {"yes": np.bool_(1)}), LENDER)) == [3, 6]

    def test_what_nobody_has_is_refused_by_name(self) -> None:
        """Before ONNX Runtime sees it."""
        nodes = [helper.make_node("Mul", ["x", "absent"], ["y"])]

        with pytest.raises(InvalidBundleError, match=r"1 weights .* not in the other file: 'absent'"):
            borrow_weights(model(nodes, {}), LENDER)
