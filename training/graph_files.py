"""The graphs of a bundle as files, each compared with its network before it may ship."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from models.nets.architecture import Classifier
from models.nets.kernel_head import KernelHead
from models.nets.mae import MaskedAutoencoder
from models.runtime.anomaly import complementary_keeps
from models.runtime.manifest import ClassifierSpec, ReconstructorSpec
from models.runtime.session import Session, open_session
from training import parity
from training.committee import Committee
from training.graphs import ClassifierGraph, ReconstructorGraph
from training.onnx_file import store_half, to_onnx, write_onnx
from training.quantisation.graph_edit import SCALE
from training.quantisation.weights import round_weights
from training.recipes.types import ExportRecipe
from training.torchscript import write_torchscript

CLASSIFIER, RECONSTRUCTOR = "classifier.onnx", "reconstructor.onnx"

# Of elements: what is smaller stays float16. Stems and first stages weigh little, and most of the error is theirs.
_SMALLEST_BYTES = 2**16
_CHANNELS = 3  # of a picture, inside the graph


@dataclass(frozen=True, slots=True)
class KeptClassifier:
    """The classifier of a bundle, taken over byte for byte.

    Attributes:
        graph: its ONNX file.
        spec: what its manifest says of it.
    """

    graph: bytes
    spec: ClassifierSpec


@dataclass(frozen=True, slots=True)
class KeptReconstructor:
    """The reconstructor of a bundle, taken over byte for byte; how it is measured is the new bundle's.

    Attributes:
        graph: its ONNX file.
        spec: what its manifest says of it.
        side_px: of the pictures that its bundle takes.
    """

    graph: bytes
    spec: ReconstructorSpec
    side_px: int


@dataclass(frozen=True, slots=True)
class Networks:
    """What a bundle is made of; networks are in eval mode on the CPU."""

    classifier: Classifier | Committee | KeptClassifier
    autoencoder: MaskedAutoencoder | KeptReconstructor

    @property
    def side_px(self) -> int:
        """Rows and columns of the pictures that the bundle takes."""
        if isinstance(self.autoencoder, KeptReconstructor):
            return self.autoencoder.side_px
        return self.autoencoder.config.image_size_px


def write_graphs(networks: Networks, images: NDArray[np.uint8], recipe: ExportRecipe, folder: Path) -> dict[str, float]:
    """Export both graphs, check them against their networks, and write what ships; a kept graph is copied.

    Args:
        networks: trained.
        images: (N, 1, S, S) uint8 pictures to compare on, two at least.
        recipe: numbers of groups K, of which the first is compared, and how weights are stored.
        folder: of the bundle.

    Returns:
        The largest deviations by what was compared.

    Raises:
        training.parity.ParityError: one exceeds its tolerance.
    """
    if isinstance(networks.classifier, KeptClassifier):
        (folder / CLASSIFIER).write_bytes(networks.classifier.graph)
        deviations = {}
    else:
        deviations = _write_classifier(networks.classifier, images, recipe.weights, folder)
    if isinstance(networks.autoencoder, KeptReconstructor):
        (folder / RECONSTRUCTOR).write_bytes(networks.autoencoder.graph)
        return deviations
    return deviations | _write_reconstructor(networks.autoencoder, images, recipe, folder)


def _write_classifier(
    network: Classifier | Committee, images: NDArray[np.uint8], weights: str, folder: Path
) -> dict[str, float]:
    classifier = ClassifierGraph(network).eval()
    example = torch.from_numpy(images[:2])
    full = to_onnx(classifier, {"image": example}, ("logits", "saliency"), {"image": {0: "batch"}})
    logits, maps = parity.run_module(classifier, images)
    expected = logits, maps
    stored = store_half(full) if weights == "float16" else _as_bytes(full, _kernel_heads(classifier))
    exact = parity.classifier_deviation(expected, _run_classifier(open_session(full.SerializeToString()), images))
    rounded = parity.classifier_deviation(expected, _run_classifier(open_session(stored.SerializeToString()), images))
    exact.require(parity.LOGIT_TOLERANCE, parity.MAP_TOLERANCE, "ONNX against the network")
    allowed = parity.STORED_LOGIT_TOLERANCES[weights], parity.STORED_MAP_TOLERANCES[weights]
    rounded.require(*allowed, f"{weights} file against the network")
    scripted = write_torchscript(classifier, example, folder / "classifier.torchscript.pt")
    scripted_logits, scripted_maps = parity.run_module(scripted, images)
    parity.classifier_deviation(expected, (scripted_logits, scripted_maps)).require(
        parity.LOGIT_TOLERANCE, parity.MAP_TOLERANCE, "TorchScript against the network"
    )
    write_onnx(stored, folder / CLASSIFIER)
    return {
        "logits_float32": exact.logits,
        "maps_float32": exact.maps,
        "logits_stored": rounded.logits,
        "maps_stored": rounded.maps,
    }


def _as_bytes(model: onnx.ModelProto, kept: set[str]) -> onnx.ModelProto:
    rounded = round_weights(model, _SMALLEST_BYTES, kept | _stems(model))
    return store_half(rounded, keep=[one.name for one in rounded.graph.initializer if one.name.endswith(SCALE)])


def _kernel_heads(module: nn.Module) -> set[str]:
    """What a kernel head compares with: rounded to bytes, distances are wrong by more than they differ."""
    heads = [(name, one) for name, one in module.named_modules() if isinstance(one, KernelHead)]
    return {f"{name}.{buffer}" for name, one in heads for buffer, _ in one.named_buffers()}


def _stems(model: onnx.ModelProto) -> set[str]:
    """Weights that pictures meet first, of three channels: a patch embedding is as large as a later layer."""
    shapes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    convolved = (node.input[1] for node in model.graph.node if node.op_type == "Conv")
    return {name for name in convolved if shapes.get(name, (0, 0))[1] == _CHANNELS}


def _write_reconstructor(
    network: MaskedAutoencoder, images: NDArray[np.uint8], recipe: ExportRecipe, folder: Path
) -> dict[str, float]:
    reconstructor = ReconstructorGraph(network).eval()
    keep = complementary_keeps(network.num_patches, recipe.masks[0], rounds=1, seed=0)
    painter = to_onnx(
        reconstructor,
        {"image": torch.from_numpy(images[:2]), "keep": torch.from_numpy(keep)},
        ("reconstruction", "spread"),
        {"image": {0: "batch"}, "keep": {0: "passes", 1: "visible"}},
    )
    painted = parity.run_module(reconstructor, images, keep)
    small = store_half(painter) if recipe.weights == "float16" else _as_bytes(painter, set())
    differences = [
        parity.reconstruction_deviation(painted, _run_painter(open_session(model.SerializeToString()), images, keep))
        for model in (painter, small)
    ]
    for difference, allowed in zip(
        differences,
        (parity.RECONSTRUCTION_TOLERANCE, parity.STORED_RECONSTRUCTION_TOLERANCES[recipe.weights]),
        strict=True,
    ):
        if not difference <= allowed:
            raise parity.ParityError(f"reconstruction differs by {difference}, allowed is {allowed}")
    write_onnx(small, folder / RECONSTRUCTOR)
    return {"reconstruction_float32": differences[0], "reconstruction_stored": differences[1]}


def _run_classifier(session: Session, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    logits, maps = parity.run_session(session, ("logits", "saliency"), images)
    return logits, maps


def _run_painter(
    session: Session, images: NDArray[np.uint8], keep: NDArray[np.int64]
) -> tuple[NDArray[np.float32], ...]:
    return parity.run_session(session, ("reconstruction", "spread"), images, keep=keep)
