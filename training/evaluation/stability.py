"""How far a bundle's probabilities move when a picture is changed in ways that mean nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.imaging.preprocess import prepare
from training.data.packed import read_radiograph
from training.evaluation.bootstrap import Interval, Resampling, interval
from training.evaluation.bundle_model import BundleModel
from training.evaluation.perturbations import PERTURBATIONS, Pixels, through_png

GOAL = 0.02  # for the median over images of the largest change among an image's findings

WORST = "the worst of these"
PNG_OF_DICOM = "8-bit PNG of a DICOM file"
TWIN = "the same picture in another file"


@dataclass(frozen=True, slots=True)
class Median:
    """A median, and its 95 % bootstrap interval over patients; None where all draws agree."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one perturbation does to the calibrated probabilities.

    Attributes:
        name: of the perturbation.
        num_images: that were compared.
        num_pairs: of an image and a finding.
        largest: absolute change of any finding on any image.
        by_image: median over images of the largest change among an image's findings.
        by_pair: median over pairs.
        flips: share of pairs that change side of the finding's threshold.
        is_lossless: the pixels were the same, so that `largest` has to be 0.
    """

    name: str
    num_images: int
    num_pairs: int
    largest: float
    by_image: Median
    by_pair: Median
    flips: float
    is_lossless: bool

    @property
    def is_faulty(self) -> bool:
        """The same pixels got another answer."""
        return self.is_lossless and self.largest > 0

    @property
    def meets_goal(self) -> bool:
        """The median by image is below the goal."""
        return self.by_image.value < GOAL


def perturbed_probabilities(model: BundleModel, files: Sequence[Path]) -> NDArray[np.float64]:
    """Probabilities of every file as it is, then under every perturbation in turn: (1 + P, N, F).

    Raises:
        DataError: a file does not decode.
    """
    answers = []
    for file in tqdm(files, desc="perturbing", unit="img", delay=1):
        pixels = read_radiograph(file).pixels
        answers.append(_answers(model, [pixels, *(one.apply(pixels) for one in PERTURBATIONS)]))
    return np.stack(answers, axis=1)


def paired_probabilities(model: BundleModel, pairs: Sequence[tuple[Pixels, Pixels]]) -> NDArray[np.float64]:
    """Probabilities of the first and of the second picture of each pair: (2, N, F)."""
    return np.stack([_answers(model, pair) for pair in pairs], axis=1)


def with_png(files: Sequence[Path]) -> list[tuple[Pixels, Pixels]]:
    """Each file's picture, and what is read from an 8-bit PNG of it."""
    pictures = [read_radiograph(file).pixels for file in files]
    return [(pixels, through_png(pixels)) for pixels in pictures]


def with_twins(groups: Sequence[Sequence[Path]]) -> list[tuple[Pixels, Pixels]]:
    """In each group the first file's picture beside each of the others'."""
    pairs = [(group[0], twin) for group in groups for twin in group[1:]]
    return [(read_radiograph(first).pixels, read_radiograph(twin).pixels) for first, twin in pairs]


def changes(model: BundleModel, probabilities: NDArray[np.float64], resampling: Resampling) -> list[Change]:
    """A row for each perturbation, then one for the worst that any of them does to an image.

    Args:
        model: that gave them.
        probabilities: (1 + P, N, F), as `perturbed_probabilities` gives them.
        resampling: of the N images' patients.
    """
    plain, *others = probabilities
    rows = [
        change(one.name, model, (plain, other), resampling, is_lossless=one.is_lossless)
        for one, other in zip(PERTURBATIONS, others, strict=True)
    ]
    distance = np.abs(probabilities[1:] - plain)
    # NaN of an untrained finding is never the largest; a column of them alone stays NaN.
    worst = np.take_along_axis(probabilities[1:], np.nan_to_num(distance).argmax(axis=0)[None], axis=0)[0]
    return [*rows, change(WORST, model, (plain, worst), resampling)]


def change(
    name: str,
    model: BundleModel,
    answers: Sequence[NDArray[np.float64]],
    resampling: Resampling,
    *,
    is_lossless: bool = False,
) -> Change:
    """Compare two answers (N, F); findings that were not trained are left out.

    Raises:
        ValueError: the bundle has no trained finding.
    """
    trained = ~np.isnan(answers[0]).all(axis=0)
    if not trained.any():
        raise ValueError(f"{model.name} has no trained finding: nothing can move")
    before, after = (answer[:, trained] for answer in answers)
    cuts = model.thresholds.values[trained]
    moved = np.abs(after - before)
    return Change(
        name=name,
        num_images=len(moved),
        num_pairs=moved.size,
        largest=float(moved.max()),
        by_image=_median(moved.max(axis=1), resampling),
        by_pair=_median(moved, resampling),
        flips=float(((before >= cuts) != (after >= cuts)).mean()),
        is_lossless=is_lossless,
    )


def _answers(model: BundleModel, pictures: Sequence[Pixels]) -> NDArray[np.float64]:
    images = np.stack([prepare(pixels, model.contract).image for pixels in pictures])
    # One at a time, as a request comes: in a batch the sums may be rounded in another order.
    logits = np.concatenate([model.logits(image[None]) for image in images])
    return model.probabilities(logits)


def _median(values: NDArray[np.float64], resampling: Resampling) -> Median:
    draws = np.array([np.median(values[resampling.rows(draw)]) for draw in range(len(resampling.counts))])
    return Median(float(np.median(values)), interval(draws))
