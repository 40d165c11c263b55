"""Weights that classifier and reconstructor have in common are kept once, in the classifier's file."""

from pathlib import Path
from typing import Final

import onnx
from onnx import TensorProto, compose, numpy_helper

from models.runtime.onnx_borrow import borrow_weights
from training.onnx_file import write_onnx

_PREFIX: Final = "painter/"  # of all that is the reconstructor's own, so that no name means two things
_LEAST_BYTES: Final = 2**20  # in common; for less, a file that stands by itself is worth more


def lend_weights(classifier: Path, reconstructor: Path) -> bool:
    """Rewrite the reconstructor's file without the weights that the classifier's has, byte for byte, if there are many.

    A masked autoencoder and a head on its frozen encoder share that encoder. `load_bundle` puts the two together
    again, so what is computed is the same to the bit.

    Args:
        classifier: an ONNX file, which stays as it is.
        reconstructor: a complete ONNX file.

    Returns:
        Whether the reconstructor was rewritten: `ReconstructorSpec.borrows_weights`.
    """
    painter = onnx.load_model(reconstructor)
    lent = {_content(one): one.name for one in onnx.load_model(classifier).graph.initializer}
    contents = [_content(one) for one in painter.graph.initializer]
    if sum(len(content[2]) for content in contents if content in lent) < _LEAST_BYTES:
        return False
    if not any(one.name.startswith(_PREFIX) for one in painter.graph.initializer):  # else it has lent before
        compose.add_prefix_graph(painter.graph, _PREFIX, rename_inputs=False, rename_outputs=False, inplace=True)
    own, names = [], {}
    for one, content in zip(painter.graph.initializer, contents, strict=True):
        if (name := lent.get(content)) is None:
            own.append(one)
        else:
            names[one.name] = name
    for node in painter.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    kept = [TensorProto.FromString(one.SerializeToString()) for one in own]
    del painter.graph.initializer[:]
    painter.graph.initializer.extend(kept)
    write_onnx(painter, reconstructor)
    onnx.checker.check_model(borrow_weights(reconstructor.read_bytes(), classifier.read_bytes()))
    return True


def _content(tensor: TensorProto) -> tuple[int, tuple[int, ...], bytes]:
    """What makes two tensors the same: kind, shape, bytes."""
    return tensor.data_type, tuple(tensor.dims), numpy_helper.to_array(tensor).tobytes()
