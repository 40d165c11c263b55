"""Weights that two graphs of a bundle have in common lie in one of the files; the other reads them from there."""

from models.errors import InvalidBundleError
from models.runtime.onnx_wire import INITIALIZER, NODE, consumed, defined, graph_of, name_of, with_graph


def borrow_weights(model: bytes, lender: bytes) -> bytes:
    """The model with the weights that its nodes read and it does not have, as the lender has them.

    Args:
        model: passed by `check_onnx`.
        lender: likewise; of it nothing but weights of those names is looked at.

    Raises:
        InvalidBundleError: the lender does not have one of them.
    """
    graph = graph_of(model)
    known = {*defined(graph), b""}  # an optional input that a node goes without has the empty name
    missing = {name for node in graph if node.number == NODE for name in consumed(node)} - known
    found = {}
    for field in graph_of(lender):
        if field.number == INITIALIZER and (name := name_of(field)) in missing:
            found[name] = field.raw
    if lacking := sorted(missing - found.keys()):
        names = ", ".join(ascii(name[:64].decode("utf-8", "replace")) for name in lacking[:3])
        raise InvalidBundleError(f"{len(lacking)} weights that a graph borrows are not in the other file: {names}")
    return with_graph(model, [*(field.raw for field in graph), *found.values()])
