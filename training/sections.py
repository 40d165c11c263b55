"""Sections of a bundle's manifest: findings with calibration and thresholds, and what it says of its two graphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.labels import CHESTXRAY14, display_name
from models.nets.architecture import Classifier
from models.nets.densenet import DenseNetClassifier
from models.nets.mae import MaskedAutoencoder
from models.nets.probe import ProbeClassifier
from models.nets.resnet import ResNetClassifier
from models.nets.slim_resnet import SlimClassifier
from models.nets.vit import VitClassifier
from models.runtime.calibration import calibrate
from models.runtime.calibration_fit import fit_calibration
from models.runtime.manifest import BandsSpec, ClassifierSpec, Finding, ReconstructorSpec
from models.runtime.threshold_fit import BALANCED, fit_thresholds, named_sets
from models.runtime.threshold_set import ThresholdSet
from training.committee import Committee
from training.graph_files import CLASSIFIER, RECONSTRUCTOR, KeptClassifier, KeptReconstructor
from training.recipes.types import ExportRecipe


@dataclass(frozen=True, slots=True)
class Fitted:
    """What calibration and thresholds are fitted on: logits and labels (N, F), and the images in words."""

    logits: NDArray[np.float32]
    labels: NDArray[np.float32]
    images: str


def findings(fitted: Fitted) -> dict[str, Any]:
    """`findings`, `thresholds` and `threshold_sets`, fitted."""
    calibrations = fit_calibration(fitted.logits, fitted.labels)
    sets = threshold_sets(calibrate(fitted.logits, calibrations), fitted.labels, CHESTXRAY14, fitted.images)
    entries = tuple(
        Finding(name=name, display=display_name(name), threshold=threshold, calibration=calibration)
        for name, threshold, calibration in zip(CHESTXRAY14, sets[0].values, calibrations, strict=True)
    )
    in_force = sets[0].model_copy(update={"values": ()})
    return {"findings": entries, "thresholds": in_force, "threshold_sets": sets}


def threshold_sets(
    probabilities: NDArray[np.float64], labels: NDArray[np.floating], findings: Sequence[str], images: str
) -> tuple[ThresholdSet, ...]:
    """`balanced`, `sensitive` and `specific`, as a bundle carries them.

    Args:
        probabilities: (N, F) calibrated, out of fold.
        labels: (N, F), NaN unknown; every finding needs both kinds.
        findings: F names.
        images: the images in words, such as "out-of-fold scores of 1211 images".

    Raises:
        ValueError: a finding has one kind of label only.
    """
    values = fit_thresholds(probabilities, labels)
    if lacking := [name for name, value in zip(findings, values[BALANCED], strict=True) if np.isnan(value)]:
        raise ValueError(f"{lacking[0]}: no threshold without positives and negatives")
    return named_sets(values, labels, findings, images)


def classifier_spec(
    recipe: ExportRecipe, network: Classifier | Committee | KeptClassifier, grid: int
) -> ClassifierSpec:
    """Of the classifier's graph, whose maps are (grid, grid)."""
    if isinstance(network, KeptClassifier):
        return network.spec.model_copy(update={"file": CLASSIFIER})
    match network:
        case VitClassifier():
            layer = f"blocks.{len(network.blocks) - 1}.norm1"
        case DenseNetClassifier():
            layer = "features.denseblock4"
        case ResNetClassifier():
            layer = "layer4"
        case SlimClassifier():
            layer = "members.*.layer4"
        case ProbeClassifier():
            layer = "trunk.norm"
        case Committee():
            layer = "members.*"
    is_token = isinstance(network, VitClassifier) and network.global_pool == "token"
    return ClassifierSpec(
        file=CLASSIFIER,
        saliency_grid=grid,
        saliency_layer=layer,
        map_threshold=recipe.map_threshold,
        head="token" if is_token else "average",
    )


def reconstructor_spec(recipe: ExportRecipe, autoencoder: MaskedAutoencoder | KeptReconstructor) -> ReconstructorSpec:
    """Of the reconstructor's graph, and how the recipe measures it; its references come later."""
    if isinstance(autoencoder, KeptReconstructor):
        spec = autoencoder.spec
        patch_size, grid, norm_pix_loss = spec.patch_size, spec.grid, spec.norm_pix_loss
    else:
        config = autoencoder.config
        patch_size, grid, norm_pix_loss = config.patch_size_px, autoencoder.grid, config.norm_pix_loss
    bands = None
    if recipe.bands_px:
        bands = BandsSpec(widths_px=recipe.bands_px, darker=recipe.darker, own_unit=recipe.own_unit)
    return ReconstructorSpec(
        file=RECONSTRUCTOR,
        patch_size=patch_size,
        grid=grid,
        default_masks=recipe.masks[0],
        masks=recipe.masks,
        norm_pix_loss=norm_pix_loss,
        smoothing_px=recipe.smoothing_px,
        map_scale=recipe.map_scale,
        bands=bands,
    )
