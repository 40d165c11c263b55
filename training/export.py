"""From checkpoints to a bundle: graphs, parity, calibration, references, card; the manifest last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.imaging.decode import decode
from models.imaging.preprocess import InputContract, ModelInput, prepare
from models.labels import CHESTXRAY14, display_name
from models.nets.mae import MaskedAutoencoder
from models.nets.vit import VitClassifier
from models.runtime.anomaly import complementary_keeps
from models.runtime.anomaly_reference import dump_reference
from models.runtime.bundle import write_manifest
from models.runtime.classifier import Classifier
from models.runtime.manifest import (
    BandsSpec,
    ClassifierSpec,
    Finding,
    InputSpec,
    Manifest,
    ReconstructorSpec,
    ReferenceSpec,
    ThresholdSet,
)
from models.runtime.session import Session, open_session
from training import parity
from training.calibration import expected_calibration_error, fit_pooled, prevalence
from training.data.dataset import Row, label_matrix
from training.graphs import ClassifierGraph, ReconstructorGraph
from training.metrics import AurocReport, auroc_report
from training.model_card import CardFacts, model_card
from training.onnx_file import store_half, to_onnx, write_onnx
from training.recipes.types import ExportRecipe
from training.reference import fit_reference
from training.torchscript import write_torchscript

CLASSIFIER, RECONSTRUCTOR, REFERENCE = "classifier.onnx", "reconstructor.onnx", "anomaly_reference.npz"


@dataclass(frozen=True, slots=True)
class Networks:
    """What a bundle is made of, both in eval mode on the CPU."""

    classifier: VitClassifier
    autoencoder: MaskedAutoencoder


@dataclass(frozen=True, slots=True)
class Material:
    """Pictures and words for one export.

    Attributes:
        held_out: rows that no weight was trained on, labelled: AUROC, calibration, thresholds, parity, references.
        pretraining: the pre-training run's description (`training.run.Run.describe`).
        finetuning: the fine-tuning run's.
        normals: training rows without finding, which give the anomaly map's statistics by position; the held-out ones
            then give scores alone, so that a map of a held-out picture is measured against others. Empty takes the
            held-out ones for both.
    """

    held_out: Sequence[Row]
    pretraining: Mapping[str, Any]
    finetuning: Mapping[str, Any]
    normals: Sequence[Row] = ()


def export(recipe: ExportRecipe, networks: Networks, material: Material, folder: Path) -> Manifest:
    """Write a complete bundle; without parity, no manifest and hence no bundle.

    Args:
        recipe: names and numbers of masks.
        networks: trained.
        material: held-out pictures.
        folder: made if needed; an old manifest in it is removed first.

    Raises:
        training.parity.ParityError: a graph differs from its network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.json").unlink(missing_ok=True)
    contract = InputContract(networks.autoencoder.config.image_size_px)
    inputs = [prepare(decode(row.file.read_bytes()), contract) for row in material.held_out]
    images = np.stack([item.image for item in inputs])[:, None]
    labels = label_matrix(material.held_out)
    deviations = _write_graphs(networks, images[:8], recipe.masks, folder)

    session = open_session((folder / CLASSIFIER).read_bytes())
    (logits,) = parity.run_session(session, ("logits",), images)
    report = auroc_report(CHESTXRAY14, labels, logits, [row.patient for row in material.held_out])
    painter = _reconstructor_spec(recipe, networks.autoencoder)
    manifest = _manifest(recipe, networks.classifier, painter, labels, logits, contract)
    error = expected_calibration_error(Classifier(manifest, session).probabilities(logits), labels)
    scored = [item for item, row in zip(inputs, material.held_out, strict=True) if not row.labels]
    normals = [prepare(decode(row.file.read_bytes()), contract) for row in material.normals]
    painting = open_session((folder / RECONSTRUCTOR).read_bytes())
    manifest = _with_reference(manifest, painter, painting, (normals, scored), folder)
    provenance = {
        "pretraining": dict(material.pretraining),
        "finetuning": dict(material.finetuning),
        "held_out_images": len(images),
        "mean_auroc": report.mean,
        "parity": deviations,
    }
    manifest = manifest.model_copy(update={"provenance": provenance})
    card = model_card(manifest, _facts(report, material, error))
    (folder / "README.md").write_text(card, encoding="utf-8")
    return write_manifest(folder, manifest)


def _write_graphs(
    networks: Networks, images: NDArray[np.uint8], masks: Sequence[int], folder: Path
) -> dict[str, float]:
    """Export, check against the network, store; gives the largest deviations."""
    classifier = ClassifierGraph(networks.classifier).eval()
    reconstructor = ReconstructorGraph(networks.autoencoder).eval()
    keep = complementary_keeps(networks.autoencoder.num_patches, masks[0], rounds=1, seed=0)
    example = torch.from_numpy(images[:2])
    full = to_onnx(classifier, {"image": example}, ("logits", "saliency"), {"image": {0: "batch"}})
    painter = to_onnx(
        reconstructor,
        {"image": example, "keep": torch.from_numpy(keep)},
        ("reconstruction", "spread"),
        {"image": {0: "batch"}, "keep": {0: "passes", 1: "visible"}},
    )
    logits, maps = parity.run_module(classifier, images)
    expected = logits, maps
    stored = store_half(full)
    exact = parity.classifier_deviation(expected, _run_classifier(open_session(full.SerializeToString()), images))
    rounded = parity.classifier_deviation(expected, _run_classifier(open_session(stored.SerializeToString()), images))
    exact.require(parity.LOGIT_TOLERANCE, parity.MAP_TOLERANCE, "ONNX against the network")
    rounded.require(parity.STORED_LOGIT_TOLERANCE, parity.STORED_MAP_TOLERANCE, "float16 file against the network")
    scripted = write_torchscript(classifier, example, folder / "classifier.torchscript.pt")
    scripted_logits, scripted_maps = parity.run_module(scripted, images)
    parity.classifier_deviation(expected, (scripted_logits, scripted_maps)).require(
        parity.LOGIT_TOLERANCE, parity.MAP_TOLERANCE, "TorchScript against the network"
    )
    write_onnx(stored, folder / CLASSIFIER)

    painted, small = parity.run_module(reconstructor, images, keep), store_half(painter)
    differences = [
        parity.reconstruction_deviation(painted, _run_painter(open_session(model.SerializeToString()), images, keep))
        for model in (painter, small)
    ]
    for difference, allowed in zip(
        differences, (parity.RECONSTRUCTION_TOLERANCE, parity.STORED_RECONSTRUCTION_TOLERANCE), strict=True
    ):
        if not difference <= allowed:
            raise parity.ParityError(f"reconstruction differs by {difference}, allowed is {allowed}")
    write_onnx(small, folder / RECONSTRUCTOR)
    return {
        "logits_float32": exact.logits,
        "maps_float32": exact.maps,
        "logits_stored": rounded.logits,
        "maps_stored": rounded.maps,
        "reconstruction_float32": differences[0],
        "reconstruction_stored": differences[1],
    }


def _run_classifier(session: Session, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    logits, maps = parity.run_session(session, ("logits", "saliency"), images)
    return logits, maps


def _run_painter(
    session: Session, images: NDArray[np.uint8], keep: NDArray[np.int64]
) -> tuple[NDArray[np.float32], ...]:
    return parity.run_session(session, ("reconstruction", "spread"), images, keep=keep)


def _manifest(  # one argument a section of the manifest
    recipe: ExportRecipe,
    classifier: VitClassifier,
    painter: ReconstructorSpec,
    labels: NDArray[np.float32],
    logits: NDArray[np.float32],
    contract: InputContract,
) -> Manifest:
    findings = tuple(
        Finding(name=name, display=display_name(name), threshold=float(share), calibration=calibration)
        for name, share, calibration in zip(CHESTXRAY14, prevalence(labels), fit_pooled(logits, labels), strict=True)
    )
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        findings=findings,
        thresholds=ThresholdSet(
            name=f"prevalence-{recipe.version}",
            description="share of positives among the held-out images, where a calibrated likelihood ratio is 1",
        ),
        input=InputSpec(side=contract.side, geometry=contract.geometry, padding=contract.padding),
        classifier=ClassifierSpec(
            file=CLASSIFIER,
            saliency_grid=classifier.patch_embed.grid_size[0],
            saliency_layer=f"blocks.{len(classifier.blocks) - 1}.norm1",
            map_threshold=recipe.map_threshold,
            head="token" if classifier.global_pool == "token" else "average",
        ),
        reconstructor=painter,
    )


def _reconstructor_spec(recipe: ExportRecipe, autoencoder: MaskedAutoencoder) -> ReconstructorSpec:
    return ReconstructorSpec(
        file=RECONSTRUCTOR,
        patch_size=autoencoder.config.patch_size_px,
        grid=autoencoder.grid,
        default_masks=recipe.masks[0],
        masks=recipe.masks,
        norm_pix_loss=autoencoder.config.norm_pix_loss,
        smoothing_px=recipe.smoothing_px,
        map_scale=recipe.map_scale,
        bands=BandsSpec(widths_px=recipe.bands_px, darker=recipe.darker) if recipe.bands_px else None,
    )


def _with_reference(
    manifest: Manifest,
    spec: ReconstructorSpec,
    session: Session,
    pictures: tuple[Sequence[ModelInput], Sequence[ModelInput]],
    folder: Path,
) -> Manifest:
    """pictures: those that give statistics (none: the others do), and held-out ones that give scores."""
    normals, scored = pictures
    reference = fit_reference(manifest, session, normals or scored, scored if normals else None)
    (folder / REFERENCE).write_bytes(dump_reference(reference))
    description = "held-out ChestX-ray14 images labelled No Finding"
    if normals:
        description += f"; statistics by position from {len(normals)} training images labelled so"
    stated = ReferenceSpec(description=description, count=len(scored), file=REFERENCE)
    return manifest.model_copy(update={"reconstructor": spec.model_copy(update={"reference": stated})})


def _facts(report: AurocReport, material: Material, calibration_error: float) -> CardFacts:
    rows = material.held_out
    return CardFacts(
        report=report,
        evaluated_on=f"{len(rows)} held-out ChestX-ray14 images of {len({row.patient for row in rows})} patients",
        pretraining=material.pretraining,
        finetuning=material.finetuning,
        calibration_error=calibration_error,
    )
