"""From checkpoints to a bundle: graphs, parity, calibration, references, card; the manifest last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.imaging.preprocess import InputContract, ModelInput
from models.labels import CHESTXRAY14
from models.runtime.anomaly_reference import dump_reference
from models.runtime.bundle import write_manifest
from models.runtime.calibration_error import calibration_error_by_chance, expected_calibration_error
from models.runtime.classifier import Classifier
from models.runtime.manifest import (
    InputSpec,
    Manifest,
    ReconstructorSpec,
    ReferenceSpec,
)
from models.runtime.session import Session, open_session
from training import parity
from training.card_sources import images_of
from training.data.dataset import DataError, Row, label_matrix
from training.data.packed import read_input
from training.graph_files import CLASSIFIER, RECONSTRUCTOR, Networks, write_graphs
from training.lending import lend_weights
from training.material import require_split
from training.metrics import auroc_report
from training.model_card import CardFacts, model_card
from training.out_of_fold import OutOfFold
from training.recipes.types import ExportRecipe
from training.reference import fit_reference
from training.sections import Fitted, classifier_spec, findings, reconstructor_spec

REFERENCE = "anomaly_reference.npz"
# Held-out pictures on which graphs are compared with networks, spread evenly over the rows: the first few are of one or
# two sources, and the largest deviation over them is less than that over others.
NUM_COMPARED = 32


@dataclass(frozen=True, slots=True)
class Material:
    """Pictures and words for one export.

    Attributes:
        held_out: rows that no weight was trained on, labelled: AUROC, parity, references.
        out_of_fold: scores of training images by networks that have not seen their patients: calibration, thresholds.
            None fits both on the held-out rows.
        pretraining: the pre-training run's description (`training.run.Run.describe`).
        finetuning: the supervised run's, or of each member of a committee.
        normals: training rows without finding, which give the anomaly map's statistics by position; the held-out ones
            then give scores alone, so that a map of a held-out picture is measured against others. Empty takes the
            held-out ones for both.
    """

    held_out: Sequence[Row]
    out_of_fold: OutOfFold | None
    pretraining: Mapping[str, Any]
    finetuning: Sequence[Mapping[str, Any]]
    normals: Sequence[Row] = ()

    def fitted_on(self, labels: NDArray[np.float32], logits: NDArray[np.float32]) -> Fitted:
        """Out-of-fold scores where there are some, else these of the held-out rows."""
        if self.out_of_fold is None:
            return Fitted(logits, labels, f"the {len(labels)} held-out images")
        scores = self.out_of_fold
        words = f"out-of-fold scores of {len(scores.files)} training images"
        return Fitted(scores.mean_logits, scores.labels, words)


def export(recipe: ExportRecipe, networks: Networks, material: Material, folder: Path) -> Manifest:
    """Write a complete bundle; without parity, no manifest and hence no bundle.

    Args:
        recipe: names and numbers of masks.
        networks: trained.
        material: held-out pictures.
        folder: made if needed; an old manifest in it is removed first.

    Raises:
        training.parity.ParityError: a graph differs from its network.
        training.data.dataset.DataError: there are fewer than two held-out images, or nobody has split the data.
    """
    require_split(material.held_out)
    if len(material.held_out) < 2:
        raise DataError("a bundle is measured on held-out images with all labels; there are fewer than two")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.json").unlink(missing_ok=True)
    contract = InputContract(networks.side_px)
    inputs = [read_input(row.file, contract) for row in material.held_out]
    images = np.stack([item.image for item in inputs])[:, None]
    labels = label_matrix(material.held_out)
    compared = images[:: -(-len(images) // NUM_COMPARED)]
    deviations = write_graphs(networks, compared, recipe, folder)

    session = open_session((folder / CLASSIFIER).read_bytes())
    logits, maps = parity.run_session(session, ("logits", "saliency"), images)
    patients = [row.patient for row in material.held_out]
    report = auroc_report(CHESTXRAY14, labels, logits, patients)
    painter = reconstructor_spec(recipe, networks.autoencoder)
    painting = open_session((folder / RECONSTRUCTOR).read_bytes())
    if lend_weights(folder / CLASSIFIER, folder / RECONSTRUCTOR):
        painter = painter.model_copy(update={"borrows_weights": True})
    fitted = material.fitted_on(labels, logits)
    manifest = Manifest(
        name=recipe.name,
        version=recipe.version,
        **findings(fitted),
        input=InputSpec(side=contract.side, geometry=contract.geometry, padding=contract.padding),
        classifier=classifier_spec(recipe, networks.classifier, maps.shape[-1]),
        reconstructor=painter,
    )
    probabilities = Classifier(manifest, session).probabilities(logits)
    facts = CardFacts(
        report=report,
        evaluated_on=f"{len(labels)} {_held_out(material)} of {len(set(patients))} patients",
        pretraining=material.pretraining,
        finetuning=material.finetuning,
        fitted_on=fitted.images,
        is_fitted_here=material.out_of_fold is None,
        calibration_error=expected_calibration_error(probabilities, labels),
        by_chance=calibration_error_by_chance(probabilities, labels),
    )
    scored = [item for item, row in zip(inputs, material.held_out, strict=True) if not row.labels]
    normals = [read_input(row.file, contract) for row in material.normals]
    manifest = _with_reference(manifest, painter, painting, (normals, scored), folder, _held_out(material))
    provenance = {
        "pretraining": dict(material.pretraining),
        "finetuning": [dict(one) for one in material.finetuning],
        "held_out_images": len(images),
        "mean_auroc": report.mean,
        "parity": deviations,
    }
    manifest = manifest.model_copy(update={"provenance": provenance})
    card = model_card(manifest, facts)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return write_manifest(folder, manifest)


def _held_out(material: Material) -> str:
    return f"held-out {images_of({row.source for row in material.held_out})}"


def _with_reference(
    manifest: Manifest,
    spec: ReconstructorSpec,
    session: Session,
    pictures: tuple[Sequence[ModelInput], Sequence[ModelInput]],
    folder: Path,
    held_out: str,
) -> Manifest:
    """pictures: those that give statistics (none: the others do), and held-out ones that give scores."""
    normals, scored = pictures
    reference = fit_reference(manifest, session, normals or scored, scored if normals else None)
    (folder / REFERENCE).write_bytes(dump_reference(reference))
    description = f"{held_out} labelled No Finding"
    if normals:
        description += f"; statistics by position from {len(normals)} training images labelled so"
    stated = ReferenceSpec(description=description, count=len(scored), file=REFERENCE)
    return manifest.model_copy(update={"reconstructor": spec.model_copy(update={"reference": stated})})
