"""What a fit does on images that it did not see: each image is judged by a fit to the patients of the other folds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.runtime.calibration import calibrate
from models.runtime.manifest import Manifest
from models.runtime.threshold_fit import SENSITIVE, SPECIFIC
from service.calibration.partial_fit import fit_partly, fittable


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Answers to N images, by fits that did not see them.

    Attributes:
        probabilities: (N, F).
        sensitive: (N, F), called positive by the sensitive thresholds.
        specific: (N, F), by the specific ones.
    """

    probabilities: NDArray[np.float64]
    sensitive: NDArray[np.bool_]
    specific: NDArray[np.bool_]


def hold_out(
    manifest: Manifest,
    logits: NDArray[np.float64],
    labels: NDArray[np.float64],
    fold_of: NDArray[np.int64],
    columns: NDArray[np.bool_],
    own_slope: NDArray[np.bool_],
) -> HeldOut:
    """Fit as many times as there are folds, each time without one; arguments as of `fit_partly`.

    A column that lacks one kind of label outside a fold keeps the bundle's numbers for that fold.

    Args:
        fold_of: (N,), from `deal_out`.
    """
    answers = HeldOut(np.empty_like(logits), *(np.zeros(logits.shape, np.bool_) for _ in range(2)))
    for fold in range(fold_of.max() + 1):
        inside, outside = fold_of == fold, fold_of != fold
        able = columns & fittable(labels[outside], 1)
        calibrations, thresholds = fit_partly(manifest, logits[outside], labels[outside], able, own_slope)
        probabilities = calibrate(logits[inside], calibrations)
        answers.probabilities[inside] = probabilities
        answers.sensitive[inside] = probabilities >= thresholds[SENSITIVE]
        answers.specific[inside] = probabilities >= thresholds[SPECIFIC]
    return answers


def deal_out(labels: NDArray[np.float64], patients: NDArray[np.str_], folds: int) -> NDArray[np.int64]:
    """(N,) fold of each image: patients dealt out in turn, those with the rarest findings first.

    The same images in the same order give the same folds.
    """
    names, patient_of = np.unique(patients, return_inverse=True)
    counts = (labels == 1).sum(axis=0)
    rarest = np.where(labels == 1, counts, len(labels) + 1).min(axis=1)
    rarest_of_patient = np.full(len(names), len(labels) + 1)
    np.minimum.at(rarest_of_patient, patient_of, rarest)
    shuffled = np.random.Generator(np.random.PCG64(0)).permutation(len(names))
    order = shuffled[np.argsort(rarest_of_patient[shuffled], kind="stable")]
    fold_of_patient = np.empty(len(names), np.int64)
    fold_of_patient[order] = np.arange(len(names)) % folds
    return np.asarray(fold_of_patient[patient_of])
