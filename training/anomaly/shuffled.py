"""The same network with its weights in disorder: what its shape, and not its training, brings."""

import numpy as np
import onnx
from onnx import numpy_helper

from models.runtime.session import Session, open_session

_LEAST = 64  # elements; smaller ones are constants of the arithmetic, as a scale or an epsilon, and no weights
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def shuffle_weights(graph: bytes, seed: int) -> bytes:
    """Permute the elements within every weight tensor; each keeps its shape and its values.

    Args:
        graph: an ONNX model with its weights inside.
        seed: of the permutations.
    """
    model = onnx.load_model_from_string(graph)
    generator = np.random.Generator(np.random.PCG64(seed))
    for tensor in model.graph.initializer:
        if tensor.data_type in _FLOATS and np.prod(tensor.dims) >= _LEAST:
            values = numpy_helper.to_array(tensor)
            shuffled = generator.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(shuffled, tensor.name))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def shuffled_session(graph: bytes, seed: int) -> Session:
    """Ready to run, on one thread."""
    return open_session(shuffle_weights(graph, seed), threads=1)
