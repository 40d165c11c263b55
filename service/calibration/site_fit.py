"""Calibration and thresholds on a site's own images, and how much they mend there: measured on other images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequestError
from models.runtime.calibration import calibrate
from models.runtime.calibration_error import brier_score, calibration_error_by_chance, expected_calibration_error
from models.runtime.calibration_fit import OWN_SLOPE_POSITIVES, fit_calibration, has_own_slope
from models.runtime.manifest import Calibration, Manifest
from models.runtime.threshold_fit import fit_thresholds

LEAST_IMAGES: Final = 50
LEAST_OF_A_KIND: Final = 5  # of a finding, with and without it; with fewer the bundle's numbers are kept
LEAST_POOLED: Final = 20  # of all findings together that are fitted

OWN, POOLED, KEPT = "own slope", "pooled slope", "kept"


@dataclass(frozen=True, slots=True)
class Quality:
    """How far probabilities are from labels: expected calibration error and Brier score."""

    error: float
    brier: float

    @classmethod
    def of(cls, probabilities: NDArray[np.float64], labels: NDArray[np.float64]) -> "Quality | None":
        """None where nothing is known."""
        brier = brier_score(probabilities, labels)
        return None if brier is None else cls(expected_calibration_error(probabilities, labels), brier)


@dataclass(frozen=True, slots=True)
class FindingFit:
    """What was done for one finding, or for all fitted ones together.

    Attributes:
        how: `OWN`, `POOLED` or `KEPT`.
        before: with the bundle's calibration.
        after: cross-validated: each image by a fit to the other folds' images.
        by_chance: calibration error that the probabilities after would show if they were right.
    """

    name: str
    num_images: int
    num_positives: int
    how: str
    before: Quality | None
    after: Quality | None
    by_chance: float | None


@dataclass(frozen=True, slots=True)
class SiteFit:
    """Numbers for a new manifest.

    Attributes:
        calibrations: F.
        thresholds: (F,) by the name of the set.
        labels: (N, F) of the images that counted.
        overall: over all findings that were fitted.
    """

    calibrations: tuple[Calibration, ...]
    thresholds: dict[str, NDArray[np.float64]]
    labels: NDArray[np.float64]
    num_patients: int
    findings: tuple[FindingFit, ...]
    overall: FindingFit


def fit_site(
    manifest: Manifest, logits: NDArray[np.float64], labels: NDArray[np.float64], patients: Sequence[str], folds: int
) -> SiteFit:
    """Fit what the images allow, keep the rest.

    Args:
        logits: (N, F), NaN where there is none.
        labels: (N, F), NaN unknown.
        patients: N identifiers; a patient's images stay in one fold.
        folds: at least 2.

    Raises:
        InvalidRequestError: too few images, positives or patients, or scores that run against the labels.
    """
    untrained = np.array([not finding.trained for finding in manifest.findings])
    judged = np.where(np.isnan(logits) | untrained, np.nan, labels)
    counted = ~np.isnan(judged).all(axis=1)
    logits, judged = np.nan_to_num(logits[counted]), judged[counted]
    names = np.asarray(patients, np.str_)[counted]
    fitted = _fittable(judged, LEAST_OF_A_KIND)
    _require_enough(judged, fitted, len(set(names)), folds)

    current = tuple(finding.calibration for finding in manifest.findings)
    own = has_own_slope(judged) & fitted
    try:
        calibrations = _fit(current, logits, judged, fitted, own)
        held_out = np.empty_like(logits)
        fold_of = _folds(judged, names, folds)
        for fold in range(folds):
            inside, outside = fold_of == fold, fold_of != fold
            columns = fitted & _fittable(judged[outside], 1)
            fitted_here = _fit(current, logits[outside], judged[outside], columns, own)
            held_out[inside] = calibrate(logits[inside], fitted_here)
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error

    before, counts = calibrate(logits, current), (judged == 1).sum(axis=0)

    def judge(name: str, how: str, num_images: int, columns: slice | NDArray[np.bool_]) -> FindingFit:
        old, new, truth = before[:, columns], held_out[:, columns], judged[:, columns]
        quality = Quality.of(old, truth), Quality.of(new, truth)
        by_chance = None if quality[1] is None else calibration_error_by_chance(new, truth)
        return FindingFit(name, num_images, int(counts[columns].sum()), how, *quality, by_chance)

    rows = tuple(
        judge(finding.name, how, int((~np.isnan(judged[:, column])).sum()), slice(column, column + 1))
        for column, (finding, how) in enumerate(zip(manifest.findings, _ways(fitted, own), strict=True))
    )
    overall = judge(f"all {fitted.sum()} fitted", "", len(judged), fitted)
    thresholds = _thresholds(manifest, calibrate(logits, calibrations), np.where(fitted, judged, np.nan))
    return SiteFit(calibrations, thresholds, judged, len(set(names)), rows, overall)


def _ways(fitted: NDArray[np.bool_], own: NDArray[np.bool_]) -> list[str]:
    return [OWN if has_own else POOLED if is_fitted else KEPT for is_fitted, has_own in zip(fitted, own, strict=True)]


def _fittable(labels: NDArray[np.float64], least: int) -> NDArray[np.bool_]:
    return np.asarray(np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0)) >= least)


def _require_enough(labels: NDArray[np.float64], fitted: NDArray[np.bool_], num_patients: int, folds: int) -> None:
    if len(labels) < LEAST_IMAGES:
        raise InvalidRequestError(f"{len(labels)} images with a score and a label; at least {LEAST_IMAGES} are needed")
    if num_patients < folds:
        raise InvalidRequestError(f"{num_patients} patients are too few for {folds} folds")
    positives, negatives = (int((labels[:, fitted] == kind).sum()) for kind in (1, 0))
    if min(positives, negatives) < LEAST_POOLED:
        raise InvalidRequestError(
            f"{positives} positives and {negatives} negatives in {fitted.sum()} findings; a finding is fitted from "
            f"{LEAST_OF_A_KIND} of each kind on, with a slope of its own from {OWN_SLOPE_POSITIVES} on, and all "
            f"fitted ones together need {LEAST_POOLED}"
        )


def _fit(
    current: tuple[Calibration, ...],
    logits: NDArray[np.float64],
    labels: NDArray[np.float64],
    columns: NDArray[np.bool_],
    own: NDArray[np.bool_],
) -> tuple[Calibration, ...]:
    """Calibrations of these columns fitted, the others as they were."""
    if not columns.any():
        return current
    fitted = iter(fit_calibration(logits[:, columns], labels[:, columns], own[columns]))
    return tuple(next(fitted) if chosen else kept for chosen, kept in zip(columns, current, strict=True))


def _folds(labels: NDArray[np.float64], patients: NDArray[np.str_], folds: int) -> NDArray[np.int64]:
    """(N,) fold of each image: patients dealt out in turn, those with the rarest findings first."""
    names, patient_of = np.unique(patients, return_inverse=True)
    counts = (labels == 1).sum(axis=0)
    rarest = np.where(labels == 1, counts, len(labels) + 1).min(axis=1)
    rarest_of_patient = np.full(len(names), len(labels) + 1)
    np.minimum.at(rarest_of_patient, patient_of, rarest)
    shuffled = np.random.Generator(np.random.PCG64(0)).permutation(len(names))
    order = shuffled[np.argsort(rarest_of_patient[shuffled], kind="stable")]
    fold_of_patient = np.empty(len(names), np.int64)
    fold_of_patient[order] = np.arange(len(names)) % folds
    return fold_of_patient[patient_of]


def _thresholds(
    manifest: Manifest, probabilities: NDArray[np.float64], labels: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Fitted where labels are known; else those of the bundle's set of that name, or of its default."""
    values = fit_thresholds(probabilities, labels)
    for name, fitted in values.items():
        base = manifest.with_thresholds(name) if name in manifest.threshold_names else manifest
        kept = np.array([finding.threshold for finding in base.findings])
        values[name] = np.where(np.isnan(fitted), kept, fitted)
    return values
