"""Cut an ONNX file down to what some of its outputs need.

ONNX Runtime computes every node of a graph, whichever outputs are asked for (`only_execute_path_to_fetches` works in
its training builds only: microsoft/onnxruntime#16013), and keeps dead nodes. So a run without saliency maps needs a
graph without them.

Source: onnx.proto of ONNX 1.23 for the field numbers.
"""

from collections.abc import Collection, Iterator
from typing import Final

from models.errors import InvalidBundleError
from models.runtime.wire import Field, fields, message_field

_MODEL_GRAPH: Final = 7
_NODE, _INITIALIZER, _OUTPUT, _VALUE_INFO = 1, 5, 12, 13  # in GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPHS: Final = (6, 11)
_NAME: Final = {_INITIALIZER: 8, _OUTPUT: 1, _VALUE_INFO: 1}  # where these messages keep theirs


def keep_outputs(model: bytes, outputs: Collection[str]) -> bytes:
    """The same model with only the named outputs, and the nodes and weights they need.

    Args:
        model: passed by `check_onnx`; its nodes are in topological order, as ONNX demands.

    Raises:
        InvalidBundleError: the graph has no such output.
    """
    content = list(fields(memoryview(model)))
    # Protobuf merges a message given in parts, and the parts put end to end are that merger.
    graph = list(fields(memoryview(b"".join(field.content for field in content if field.number == _MODEL_GRAPH))))
    wanted = {name.encode() for name in outputs}
    if missing := wanted - {_name(field) for field in graph if field.number == _OUTPUT}:
        raise InvalidBundleError(f"graph has no output {', '.join(sorted(name.decode() for name in missing))}")

    needed = set(wanted)
    kept = []
    for field in reversed([field for field in graph if field.number == _NODE]):
        if not needed.isdisjoint(_produced(field)):
            needed.update(_consumed(field))
            kept.append(field.raw)
    kept.reverse()
    for field in graph:
        if field.number == _NODE:
            continue
        names = wanted if field.number == _OUTPUT else needed
        if field.number not in _NAME or _name(field) in names:
            kept.append(field.raw)
    others = [field.raw for field in content if field.number != _MODEL_GRAPH]
    return b"".join(others) + message_field(_MODEL_GRAPH, b"".join(kept))


def _name(field: Field) -> bytes:
    """Name of an initializer, output or value_info."""
    return b"".join(part.content for part in fields(field.content) if part.number == _NAME[field.number])


def _produced(node: Field) -> Iterator[bytes]:
    return (bytes(part.content) for part in fields(node.content) if part.number == _NODE_OUTPUT)


def _consumed(node: Field) -> Iterator[bytes]:
    """Names a node reads, its subgraphs' own names included: a name too many keeps a node too many, no harm."""
    for part in fields(node.content):
        if part.number == _NODE_INPUT:
            yield bytes(part.content)
        elif part.number == _NODE_ATTRIBUTE:
            for attribute in fields(part.content):
                if attribute.number in _ATTRIBUTE_GRAPHS:
                    yield from _consumed_by_graph(attribute)


def _consumed_by_graph(graph: Field) -> Iterator[bytes]:
    for part in fields(graph.content):
        if part.number == _NODE:
            yield from _consumed(part)
        elif part.number == _OUTPUT:
            yield _name(part)
