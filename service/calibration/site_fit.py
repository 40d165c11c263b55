"""Calibration and thresholds on a site's own images, and how much they mend there: measured on other images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequestError
from models.runtime.calibration import calibrate
from models.runtime.calibration_error import brier_score, calibration_error_by_chance, expected_calibration_error
from models.runtime.calibration_fit import OWN_SLOPE_POSITIVES, has_own_slope
from models.runtime.manifest import Calibration, Manifest
from service.calibration.held_out import HeldOut, deal_out, hold_out
from service.calibration.partial_fit import Thresholds, fit_partly, fittable

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
    """What was done for one finding, or for all fitted ones together; None where nothing is known.

    Attributes:
        how: `OWN`, `POOLED` or `KEPT`.
        before: with the bundle's calibration.
        after: cross-validated, as all that follows: each image by a fit to the other folds' images.
        by_chance: calibration error that the probabilities after would show if they were right.
        sensitivity: of the sensitive thresholds.
        specificity: of the specific ones.
    """

    name: str
    num_images: int
    num_positives: int
    how: str
    before: Quality | None
    after: Quality | None
    by_chance: float | None
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True, slots=True)
class SiteFit:
    """Numbers for a new manifest.

    Attributes:
        calibrations: F.
        labels: (N, F) of the images that counted.
        overall: over all findings that were fitted.
    """

    calibrations: tuple[Calibration, ...]
    thresholds: Thresholds
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
    num_patients = len(set(names))
    fitted = fittable(judged, LEAST_OF_A_KIND)
    _require_enough(judged, fitted, num_patients, folds)

    own = has_own_slope(judged)
    try:
        calibrations, thresholds = fit_partly(manifest, logits, judged, fitted, own)
        held_out = hold_out(manifest, logits, judged, deal_out(judged, names, folds), fitted, own)
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
    before = calibrate(logits, [finding.calibration for finding in manifest.findings])
    ways = [OWN if has_own else POOLED if is_fitted else KEPT for is_fitted, has_own in zip(fitted, own, strict=True)]
    rows = tuple(
        _judge(finding.name, how, judged, before, held_out, slice(column, column + 1))
        for column, (finding, how) in enumerate(zip(manifest.findings, ways, strict=True))
    )
    overall = _judge(f"all {fitted.sum()} fitted", "", judged, before, held_out, fitted)
    return SiteFit(calibrations, thresholds, judged, num_patients, rows, overall)


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


def _judge(  # one argument a thing that is compared
    name: str,
    how: str,
    labels: NDArray[np.float64],
    before: NDArray[np.float64],
    held_out: HeldOut,
    columns: slice | NDArray[np.bool_],
) -> FindingFit:
    truth, after = labels[:, columns], held_out.probabilities[:, columns]
    known = ~np.isnan(truth)
    return FindingFit(
        name=name,
        num_images=int(known.any(axis=1).sum()),
        num_positives=int((truth == 1).sum()),
        how=how,
        before=Quality.of(before[:, columns], truth),
        after=Quality.of(after, truth),
        by_chance=calibration_error_by_chance(after, truth) if known.any() else None,
        sensitivity=_mean(held_out.sensitive[:, columns][truth == 1]),
        specificity=_mean(~held_out.specific[:, columns][truth == 0]),
    )


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None
