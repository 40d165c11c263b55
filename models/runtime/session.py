"""The only door of ONNX Runtime."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidBundleError
from models.runtime.onnx_scan import check_onnx

# Since 1.29 its wheels send usage to their maker and keep a database under HOME, from the moment they are imported,
# unless this is set by then. Nothing leaves a hospital unasked; who wants to report sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # noqa: TID251 the library's variable, not a setting of ours

import onnxruntime

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"

_ERRORS_ONLY: Final = 3  # its warnings are about graph rewrites, of no use to whoever runs a service
_DTYPES: Final[dict[str, type[np.generic]]] = {
    "tensor(float)": np.float32,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
}


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a graph.

    Attributes:
        dtype: None for a type no graph of ours has.
        shape: extents; None where it is decided at run time.
    """

    name: str
    dtype: type[np.generic] | None
    shape: tuple[int | None, ...]


class Session:
    """One graph, ready to run; may be called from several threads at once."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.inputs = {port.name: port for port in map(_port, session.get_inputs())}
        self.outputs = {port.name: port for port in map(_port, session.get_outputs())}
        self.providers: tuple[str, ...] = tuple(session.get_providers())

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Compute the graph and return the named outputs.

        The runtime computes every node, whatever is asked for; `onnx_prune.keep_outputs` makes a smaller graph.

        Raises:
            InvalidBundleError: the runtime fails on these inputs.
        """
        try:
            results = self._session.run(list(outputs), dict(inputs))
        except Exception as error:  # ONNX Runtime's classes share no base but this
            raise InvalidBundleError(f"the graph cannot be run: {_first_line(error)}") from error
        return [np.asarray(result) for result in results]

    def require(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        """Hold the graph against its contract: names, types and every extent both sides know.

        Raises:
            InvalidBundleError: an input or output is missing, of another type or shape, or an input is unknown.
        """
        for wanted, there in ((inputs, self.inputs), (outputs, self.outputs)):
            for port in wanted:
                if not _fits(port, there.get(port.name)):
                    raise InvalidBundleError(f"graph has {there.get(port.name)}, the contract says {port}")
        if unknown := set(self.inputs) - {port.name for port in inputs}:
            raise InvalidBundleError(f"graph asks for inputs the contract does not know: {sorted(unknown)}")


def open_session(
    model: bytes, *, threads: int = 0, providers: Sequence[str] = (CPU,), spinning: bool = True
) -> Session:
    """Make a session from checked bytes.

    Args:
        threads: within an operator; 0 leaves the number to ONNX Runtime (one a physical core).
        providers: execution providers in order of preference; nothing is taken that is not named here, but for the
            CPU, which runs the operators that a GPU provider lacks.
        spinning: idle threads wait actively: lower latency, but a core that is busy with waiting.

    Raises:
        InvalidBundleError: the graph is refused by `check_onnx` or by the runtime.
        RuntimeError: a provider was asked for and is not there, or fell back silently.
    """
    check_onnx(model)
    if missing := [name for name in providers if name not in onnxruntime.get_available_providers()]:
        raise RuntimeError(f"ONNX Runtime has no {', '.join(missing)} here: install the matching build, or ask for CPU")
    try:
        session = onnxruntime.InferenceSession(model, _options(threads, spinning=spinning), providers=list(providers))
    except Exception as error:  # as in `Session.run`
        raise InvalidBundleError(f"ONNX Runtime refuses the graph: {_first_line(error)}") from error
    if missing := [name for name in providers if name not in session.get_providers()]:
        raise RuntimeError(f"ONNX Runtime could not start {', '.join(missing)} and fell back to another provider")
    session.disable_fallback()
    return Session(session)


def _options(threads: int, *, spinning: bool) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    # Bytes that look like ONNX Runtime's own format would be opened as such, past `check_onnx`.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _port(argument: onnxruntime.NodeArg) -> Port:
    shape = tuple(extent if isinstance(extent, int) else None for extent in argument.shape)
    return Port(argument.name, _DTYPES.get(argument.type), shape)


def _fits(wanted: Port, there: Port | None) -> bool:
    if there is None or there.dtype is not wanted.dtype or len(there.shape) != len(wanted.shape):
        return False
    return all(None in pair or pair[0] == pair[1] for pair in zip(wanted.shape, there.shape, strict=True))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
