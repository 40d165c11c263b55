"""Cut an ONNX file down to what some of its outputs need.

ONNX Runtime computes every node of a graph, whichever outputs are asked for (`only_execute_path_to_fetches` works in
its training builds only: microsoft/onnxruntime#16013), and keeps dead nodes. So a run without saliency maps needs a
graph without them.
"""

from collections.abc import Collection

from models.errors import InvalidBundleError
from models.runtime.onnx_wire import (
    INITIALIZER,
    NODE,
    OUTPUT,
    VALUE_INFO,
    consumed,
    graph_of,
    name_of,
    produced,
    with_graph,
)

_CUT = (INITIALIZER, OUTPUT, VALUE_INFO)


def keep_outputs(model: bytes, outputs: Collection[str]) -> bytes:
    """The same model with only the named outputs, and the nodes and weights they need.

    Args:
        model: passed by `check_onnx`; its nodes are in topological order, as ONNX demands.

    Raises:
        InvalidBundleError: the graph has no such output.
    """
    graph = graph_of(model)
    wanted = {name.encode() for name in outputs}
    if missing := wanted - {name_of(field) for field in graph if field.number == OUTPUT}:
        raise InvalidBundleError(f"graph has no output {', '.join(sorted(name.decode() for name in missing))}")

    needed = set(wanted)
    kept = []
    for field in reversed([field for field in graph if field.number == NODE]):
        if not needed.isdisjoint(produced(field)):
            needed.update(consumed(field))  # of its subgraphs a name too many: it keeps a node too many, no harm
            kept.append(field.raw)
    kept.reverse()
    for field in graph:
        if field.number == NODE:
            continue
        names = wanted if field.number == OUTPUT else needed
        if field.number not in _CUT or name_of(field) in names:
            kept.append(field.raw)
    return with_graph(model, kept)
