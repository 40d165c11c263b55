"""The door of ONNX Runtime: what it lets in, and what it asks of the runtime."""

import sys
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from models.errors import InvalidBundleError
from models.runtime.session import CPU, CUDA, Port, open_session
from tests.tiny_bundle import reconstructor_graph

RUNTIME: Any = sys.modules["onnxruntime"]  # imported by its door alone, which first tells it not to report usage


def model(*nodes: NodeProto) -> bytes:
    """`x` (n,) -> `y` (n,)."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    graph = helper.make_graph(list(nodes), "g", [x], [y])
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    ).SerializeToString()
    return content


RELU = helper.make_node("Relu", ["x"], ["y"])


class TestOpenSession:
    def test_runs_what_it_opened(self) -> None:
        """Arrays in, arrays out, by name."""
        session = open_session(model(RELU), threads=1, spinning=False)

        assert session.run({"x": np.array([-1, 2], np.float32)}, ["y"])[0].tolist() == [0.0, 2.0]
        assert session.providers == (CPU,)

    def test_scans_before_the_runtime_sees_a_byte(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A parser that is never called cannot be attacked."""
        monkeypatch.setattr(RUNTIME, "InferenceSession", lambda *_, **__: pytest.fail("the runtime saw it"))
        custom = helper.make_node("Evil", ["x"], ["y"], domain="com.example")

        with pytest.raises(InvalidBundleError, match=r"com\.example"):
            open_session(model(custom))

    @pytest.mark.parametrize(
        "node", [helper.make_node("NoSuchOperator", ["x"], ["y"]), helper.make_node("Relu", ["nowhere"], ["y"])]
    )
    def test_what_the_runtime_refuses_is_an_invalid_bundle(self, node: NodeProto) -> None:
        """Its own exceptions stay behind the door, chained."""
        with pytest.raises(InvalidBundleError, match="refuses the graph") as caught:
            open_session(model(node))

        assert caught.value.__cause__ is not None

    @pytest.mark.skipif(CUDA in RUNTIME.get_available_providers(), reason="CUDA is here")
    @pytest.mark.parametrize("providers", [[CUDA], [CUDA, CPU], ["NoSuchProvider"]])
    def test_a_provider_that_is_not_there_is_a_hard_failure(self, providers: list[str]) -> None:
        """Never a silent fall back to the CPU: the operator would notice by the bill, or the latency."""
        with pytest.raises(RuntimeError, match=providers[0]):
            open_session(model(RELU), providers=providers)

    def test_a_provider_that_does_not_start_is_a_hard_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """ONNX Runtime lists CUDA where its libraries lie, also without a GPU, and then falls back with a warning."""
        monkeypatch.setattr(RUNTIME, "get_available_providers", lambda: [CUDA, CPU])

        with pytest.warns(UserWarning, match="CUDA"), pytest.raises(RuntimeError, match="could not start"):
            open_session(model(RELU), providers=[CUDA, CPU])

    @pytest.mark.parametrize(("spinning", "written"), [(True, "1"), (False, "0")])
    def test_options_reach_the_runtime(self, monkeypatch: pytest.MonkeyPatch, *, spinning: bool, written: str) -> None:
        """One thread pool of the asked-for size, operators one after another, waiting as asked for."""
        seen: list[Any] = []
        real = RUNTIME.InferenceSession

        def spy(content: bytes, options: Any, **rest: Any) -> Any:
            seen.append(options)
            return real(content, options, **rest)

        monkeypatch.setattr(RUNTIME, "InferenceSession", spy)
        open_session(model(RELU), threads=2, spinning=spinning)

        (options,) = seen
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
        assert options.execution_mode == RUNTIME.ExecutionMode.ORT_SEQUENTIAL
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == written


class TestSession:
    def test_knows_its_ports(self) -> None:
        """Names, types and shapes; what is open at load time is None."""
        graph = helper.make_model(
            reconstructor_graph(32), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
        ).SerializeToString()
        session = open_session(graph)

        assert session.inputs == {
            "image": Port("image", np.uint8, (None, 1, 32, 32)),
            "keep": Port("keep", np.int64, (None, None)),
        }
        assert session.outputs["spread"] == Port("spread", np.float32, (None, 1, 32, 32))

    @pytest.mark.parametrize(
        ("inputs", "outputs"),
        [
            ([Port("image", np.float32, (None,))], []),
            ([Port("x", np.uint8, (None,))], []),
            ([Port("x", np.float32, (None, 1))], []),
            ([Port("x", np.float32, (None,))], [Port("logits", np.float32, (None,))]),
            ([], [Port("y", np.float32, (None,))]),  # nobody would feed `x`
        ],
    )
    def test_a_graph_of_another_contract_is_refused(self, inputs: list[Port], outputs: list[Port]) -> None:
        """When it is opened, not at the first request."""
        session = open_session(model(RELU))

        with pytest.raises(InvalidBundleError, match="contract"):
            session.require(inputs, outputs)

    def test_a_failing_run_is_an_invalid_bundle(self) -> None:
        """The runtime's exception stays behind the door here too."""
        with pytest.raises(InvalidBundleError, match="cannot be run"):
            open_session(model(RELU)).run({"x": np.zeros((2, 2), np.float32)}, ["y"])
