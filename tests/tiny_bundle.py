"""A complete bundle of a few kilobytes, written in milliseconds: same contract as the real one, no network in it.

Its outputs are deterministic and depend on the picture. A finding's logit is the weighted mean brightness of the grid
of the picture, its saliency the positive part of those products, so Grad-CAM's law (the logit is the sum of the
evidence) holds by construction. The reconstructor paints every hidden patch with its own mean, pulled a little towards
what its pass could see: smooth, dependent on `keep`, NaN where no pass hid the patch.
"""

from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.imaging.preprocess import Geometry
from models.labels import CHESTXRAY14, display_name
from models.runtime.bundle import write_manifest
from models.runtime.manifest import (
    Calibration,
    ClassifierSpec,
    Finding,
    InputSpec,
    Manifest,
    ReconstructorSpec,
    ReferenceSpec,
    ThresholdSet,
)

Shape: TypeAlias = list[str | int]

PATCH_SIZE_PX = 8
_OPSET, _IR_VERSION = 18, 10  # both older than any ONNX Runtime that serves


def write_tiny_bundle(
    folder: Path,
    side: int = 32,
    findings: Sequence[str] = CHESTXRAY14,
    *,
    untrained: Collection[str] = (),
    reconstructor: bool = True,
    reference: bool = True,
    geometry: Geometry = Geometry.LETTERBOX,
    threshold_sets: bool = False,
) -> Manifest:
    """Write a bundle that `load_bundle` accepts.

    Args:
        folder: made if absent.
        side: divisible by 8.
        untrained: names of findings without probability.
        reconstructor: False for a bundle without anomaly maps; `reference`: False for one without percentiles.
        threshold_sets: True for `sensitive` and `specific` beside the default `tiny-thresholds`.
    """
    if side % PATCH_SIZE_PX:
        raise ValueError(f"side {side} is not divisible by {PATCH_SIZE_PX}")
    folder.mkdir(parents=True, exist_ok=True)
    grid = side // PATCH_SIZE_PX
    write_onnx(folder / "classifier.onnx", classifier_graph(side, len(findings)))
    if reconstructor:
        write_onnx(folder / "reconstructor.onnx", reconstructor_graph(side))
    if reconstructor and reference:
        (folder / "anomaly_reference.npz").write_bytes(anomaly_reference(side))
    known = tuple(_finding(name, place, trained=name not in untrained) for place, name in enumerate(findings))
    manifest = Manifest(
        name="thorascope-tiny",
        version="0.0.1",
        findings=known,
        thresholds=ThresholdSet(name="tiny-thresholds", description="made up"),
        threshold_sets=_threshold_sets(known) if threshold_sets else (),
        input=InputSpec(side=side, geometry=geometry),
        classifier=ClassifierSpec(
            file="classifier.onnx", saliency_grid=grid, saliency_layer="pool", map_threshold=0.5, head="average"
        ),
        reconstructor=_reconstructor(grid, reference=reference) if reconstructor else None,
        provenance={"purpose": "tests"},
    )
    return write_manifest(folder, manifest)


def _finding(name: str, place: int, *, trained: bool) -> Finding:
    # Slopes and thresholds differ, so that a column taken for another one shows.
    return Finding(
        name=name,
        display=display_name(name),
        threshold=round(0.2 + 0.04 * (place % 14), 2),
        calibration=Calibration(slope=1.0 + 0.1 * place, intercept=-0.05 * place),
        trained=trained,
        reason=None if trained else "no labelled pictures of it",
    )


def _threshold_sets(findings: Sequence[Finding]) -> tuple[ThresholdSet, ...]:
    """The default's values, halved and half way to 1."""
    values = [finding.threshold for finding in findings]
    return (
        ThresholdSet(name="tiny-thresholds", description="made up", values=tuple(values)),
        ThresholdSet(name="sensitive", description="low", values=tuple(value / 2 for value in values)),
        ThresholdSet(name="specific", description="high", values=tuple((1 + value) / 2 for value in values)),
    )


def _reconstructor(grid: int, *, reference: bool) -> ReconstructorSpec:
    return ReconstructorSpec(
        file="reconstructor.onnx",
        patch_size=PATCH_SIZE_PX,
        grid=grid,
        default_masks=4,
        masks=(2, 4),
        norm_pix_loss=False,
        smoothing_px=2.0,
        reference=ReferenceSpec(description="made up", count=100) if reference else None,
    )


def classifier_graph(side: int, num_findings: int) -> onnx.GraphProto:
    """`image` -> `logits` (B,F), `saliency` (B,F,G,G)."""
    grid = side // PATCH_SIZE_PX
    weights = np.random.Generator(np.random.PCG64(7)).normal(size=(1, num_findings, grid, grid)).astype(np.float32)
    nodes = [
        *_patch_means(),
        helper.make_node("Mul", ["patch_means", "weights"], ["evidence"]),
        helper.make_node("ReduceMean", ["evidence", "grid_axes"], ["mean_evidence"], keepdims=0),
        helper.make_node("Mul", ["mean_evidence", "gain"], ["logits"]),
        helper.make_node("Relu", ["evidence"], ["saliency"]),
    ]
    constants = {
        **_SCALE,
        "weights": weights,
        "grid_axes": np.array([2, 3]),
        "gain": np.array(4.0 * grid, np.float32),
    }
    outputs: dict[str, Shape] = {
        "logits": ["batch", num_findings],
        "saliency": ["batch", num_findings, grid, grid],
    }
    return _graph([_image(side)], nodes, outputs, constants)


def reconstructor_graph(side: int) -> onnx.GraphProto:
    """`image`, `keep` -> `reconstruction`, `spread` (B,1,S,S)."""
    grid = side // PATCH_SIZE_PX
    nodes = [
        *_patch_means(),
        helper.make_node("Reshape", ["patch_means", "tokens_shape"], ["tokens"]),  # (B,1,L)
        helper.make_node("OneHot", ["keep", "num_patches", "off_on"], ["shown_each"]),  # (M,V,L)
        helper.make_node("ReduceMax", ["shown_each", "axis_1"], ["shown"], keepdims=0),  # (M,L)
        helper.make_node("Sub", ["one", "shown"], ["hidden"]),
        helper.make_node("Mul", ["tokens", "shown"], ["seen"]),  # (B,M,L)
        helper.make_node("ReduceSum", ["seen", "axis_2"], ["seen_sum"]),  # (B,M,1)
        helper.make_node("ReduceSum", ["shown", "axis_1"], ["num_shown"]),  # (M,1)
        helper.make_node("Div", ["seen_sum", "num_shown"], ["seen_mean"]),
        helper.make_node("Mul", ["tokens", "own_share"], ["own"]),
        helper.make_node("Mul", ["seen_mean", "seen_share"], ["context"]),
        helper.make_node("Add", ["own", "context"], ["painted"]),  # (B,M,L)
        helper.make_node("ReduceSum", ["hidden", "axis_0"], ["num_hidden"]),  # (1,L); 0 / 0 is the contract's NaN
        *_mean_where_hidden("painted", "mean"),
        helper.make_node("Sub", ["painted", "mean"], ["deviation"]),
        helper.make_node("Mul", ["deviation", "deviation"], ["squared"]),
        *_mean_where_hidden("squared", "variance"),
        helper.make_node("Sqrt", ["variance"], ["deviation_mean"]),
        *_spread_over_pixels("mean", "reconstruction"),
        *_spread_over_pixels("deviation_mean", "spread"),
    ]
    constants = {
        **_SCALE,
        "tokens_shape": np.array([0, 1, grid * grid]),
        "grid_shape": np.array([0, 1, grid, grid]),
        "num_patches": np.array(grid * grid),
        "off_on": np.array([0, 1], np.float32),
        "one": np.array(1, np.float32),
        "own_share": np.array(0.9, np.float32),
        "seen_share": np.array(0.1, np.float32),
        "zoom": np.array([1, 1, PATCH_SIZE_PX, PATCH_SIZE_PX], np.float32),
        **{f"axis_{axis}": np.array([axis]) for axis in range(3)},
    }
    keep = helper.make_tensor_value_info("keep", TensorProto.INT64, ["passes", "visible"])
    square: Shape = ["batch", 1, side, side]
    outputs = {"reconstruction": square, "spread": square}
    return _graph([_image(side), keep], nodes, outputs, constants)


def anomaly_reference(side: int) -> bytes:
    """A position-dependent mean and deviation, and 100 image scores."""
    rows = np.linspace(0, 1, side, dtype=np.float32)[:, None] * np.ones(side, np.float32)
    content = BytesIO()
    scores = np.linspace(0, 2, 100, dtype=np.float32)
    np.savez(content, mean=0.02 + 0.02 * rows, std=0.01 + 0.01 * rows, scores=scores)
    return content.getvalue()


def write_onnx(path: Path, graph: onnx.GraphProto, **model_fields: Any) -> None:
    """Write one graph as a model file."""
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION, **model_fields)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


_SCALE = {"white": np.array(255, np.float32)}


def _image(side: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, side, side])


def _patch_means() -> list[onnx.NodeProto]:
    window = [PATCH_SIZE_PX, PATCH_SIZE_PX]
    return [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["grey", "white"], ["unit"]),
        helper.make_node("AveragePool", ["unit"], ["patch_means"], kernel_shape=window, strides=window),
    ]


def _mean_where_hidden(name: str, result: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Mul", [name, "hidden"], [f"{name}_hidden"]),
        helper.make_node("ReduceSum", [f"{name}_hidden", "axis_1"], [f"{name}_sum"]),  # (B,1,L)
        helper.make_node("Div", [f"{name}_sum", "num_hidden"], [result]),
    ]


def _spread_over_pixels(name: str, result: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Reshape", [name, "grid_shape"], [f"{name}_grid"]),
        helper.make_node(
            "Resize",
            [f"{name}_grid", "", "zoom"],
            [result],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
        ),
    ]


def _graph(
    inputs: list[onnx.ValueInfoProto],
    nodes: list[onnx.NodeProto],
    outputs: Mapping[str, Shape],
    constants: dict[str, Any],
) -> onnx.GraphProto:
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_graph(nodes, "tiny", inputs, results, tensors)
