"""What an ONNX file must not contain, told from its bytes before any runtime sees them.

Checking after ONNX Runtime has parsed the file would be too late, so this walks the wire format itself, by a table of
the few fields that matter; all others are skipped by length. Protobuf merges a message that occurs twice and lets the
last of several scalars win: here every occurrence counts.

Source: onnx.proto of ONNX 1.23 for the field numbers.
"""

from typing import Final

from models.errors import InvalidBundleError
from models.runtime.protobuf_wire import Field, fields, integers

STANDARD_DOMAINS: Final = frozenset({b"", b"ai.onnx"})

_MAX_DEPTH: Final = 64  # messages inside messages; protobuf itself stops at 100
_ELEMENTS_PER_BYTE: Final = 4  # of the narrowest ONNX types, 2 bits wide

_GRAPH: Final = 7  # in ModelProto
_NODE_DOMAIN: Final = 7
_DIMS, _EXTERNAL_DATA, _DATA_LOCATION = 1, 13, 14  # in TensorProto

# message -> field number -> message inside it
_CHILDREN: Final[dict[str, dict[int, str]]] = {
    "model": {_GRAPH: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {},
    "sparse": {},
}


def check_onnx(model: bytes) -> None:
    """Pass a self-contained graph of standard operators, refuse everything else.

    Raises:
        InvalidBundleError: not an ONNX protobuf; external or sparse tensors; an operator outside the standard
            domains (hence any call of a function the file itself defines); a tensor that declares more elements
            than its bytes can hold.
    """
    if model[4:8] == b"ORTM":
        raise InvalidBundleError("ONNX Runtime's own format is not accepted: its contents cannot be checked")
    content = memoryview(model)
    if not any(field.number == _GRAPH for field in fields(content)):
        raise InvalidBundleError("not an ONNX model: no graph in it")
    _check_message("model", content, 0)


def _check_message(kind: str, message: memoryview, depth: int) -> None:
    """Check one message and all below it."""
    if depth > _MAX_DEPTH:
        raise InvalidBundleError(f"ONNX graph nests deeper than {_MAX_DEPTH} levels")
    content = list(fields(message))
    for field in content:
        child = _CHILDREN[kind].get(field.number)
        if child is not None:
            _check_message(child, field.content, depth + 1)
    if kind == "node":
        _check_node(content)
    elif kind == "tensor":
        _check_tensor(content, len(message))
    elif kind == "sparse":
        # A few bytes may stand for any amount of memory, and their values were a way around external-data checks.
        raise InvalidBundleError("sparse tensors are not accepted")


def _check_node(content: list[Field]) -> None:
    domains = {bytes(field.content) for field in content if field.number == _NODE_DOMAIN}
    if foreign := domains - STANDARD_DOMAINS:
        names = ", ".join(sorted(ascii(domain[:64].decode("utf-8", "replace")) for domain in foreign))
        raise InvalidBundleError(f"operator outside the standard ONNX domains: {names}")


def _check_tensor(content: list[Field], size_bytes: int) -> None:
    elements = 1
    for field in content:
        if field.number == _EXTERNAL_DATA or (field.number == _DATA_LOCATION and field.value != 0):
            raise InvalidBundleError("tensor with external data: weights must lie inside the graph")
        if field.number == _DIMS:
            for extent in integers(field.value):
                elements *= extent
    if elements > _ELEMENTS_PER_BYTE * size_bytes:
        raise InvalidBundleError("tensor declares more elements than its bytes can hold")
