"""A graph's parts in the wire format: nodes, weights, outputs, and the names that they read and give.

Source: onnx.proto of ONNX 1.23 for the field numbers.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from models.runtime.protobuf_wire import Field, fields, message_field

NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13  # in GraphProto
_NAMED: Final = {INITIALIZER: 8, INPUT: 1, OUTPUT: 1, VALUE_INFO: 1}  # where these messages keep their names

_MODEL_GRAPH: Final = 7
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPHS: Final = (6, 11)


def graph_of(model: bytes) -> list[Field]:
    """Fields of the graph. Protobuf merges a message given in parts, and the parts put end to end are that merger."""
    parts = (field.content for field in fields(memoryview(model)) if field.number == _MODEL_GRAPH)
    return list(fields(memoryview(b"".join(parts))))


def with_graph(model: bytes, parts: Iterable[bytes | memoryview]) -> bytes:
    """The model with another graph, put together from raw fields."""
    others = (field.raw for field in fields(memoryview(model)) if field.number != _MODEL_GRAPH)
    return b"".join(others) + message_field(_MODEL_GRAPH, b"".join(parts))


def name_of(field: Field) -> bytes:
    """Name of an initializer, input, output or value_info."""
    return b"".join(part.content for part in fields(field.content) if part.number == _NAMED[field.number])


def produced(node: Field) -> Iterator[bytes]:
    """Names that a node gives."""
    return (bytes(part.content) for part in fields(node.content) if part.number == _NODE_OUTPUT)


def consumed(node: Field) -> Iterator[bytes]:
    """Names that a node reads, all names that its subgraphs read included."""
    for part in fields(node.content):
        if part.number == _NODE_INPUT:
            yield bytes(part.content)
    for graph in _subgraphs(node):
        for part in graph:
            if part.number == NODE:
                yield from consumed(part)
            elif part.number == OUTPUT:
                yield name_of(part)


def defined(graph: Iterable[Field]) -> Iterator[bytes]:
    """Names of a graph's inputs, weights and results, those of all subgraphs included."""
    for part in graph:
        if part.number in (INITIALIZER, INPUT):
            yield name_of(part)
        elif part.number == NODE:
            yield from produced(part)
            for inner in _subgraphs(part):
                yield from defined(inner)


def _subgraphs(node: Field) -> Iterator[list[Field]]:
    for part in fields(node.content):
        if part.number == _NODE_ATTRIBUTE:
            for attribute in fields(part.content):
                if attribute.number in _ATTRIBUTE_GRAPHS:
                    yield list(fields(attribute.content))
