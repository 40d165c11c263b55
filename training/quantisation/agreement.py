"""Does a quantised classifier still say what the original says? AUROC, saliency maps, probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.imaging.heatmap import saliency_map
from models.imaging.preprocess import ModelInput
from models.runtime.classifier import Classifier
from training.evaluation.bootstrap import Interval, Resampling, interval
from training.evaluation.comparison import Comparison, compare
from training.evaluation.scores import Scores

# What a quantised classifier has to keep: the number itself, and both ends of its 95 % interval.
AUROC_LIMIT = 0.002  # of |mean AUROC - original's|
IOU_LIMIT = 0.95  # of maps cut at the bundle's threshold, mean over positive findings


@dataclass(frozen=True, slots=True)
class Pictures:
    """Labelled images on which two classifiers are compared.

    Attributes:
        inputs: N pictures as the bundle sees them.
        labels: (N, F), NaN unknown.
        patients: N identifiers.
    """

    inputs: Sequence[ModelInput]
    labels: NDArray[np.float32]
    patients: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of N pictures.

    Attributes:
        scores: with probabilities.
        positive: (N, F), findings that reach their threshold.
        maps: raw (N, F, G, G).
    """

    scores: Scores
    positive: NDArray[np.bool_]
    maps: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A quantised classifier (A) against the original (B).

    Attributes:
        num_images: compared.
        num_patients: whose images they are.
        aurocs: A minus B, paired.
        map_iou: mean over the maps of findings that the original calls positive; None where there is none.
        map_interval: 95 %, bootstrap over patients.
        num_maps: that the mean is over; pairs of maps that are flat in both are no maps.
        largest_change: of a calibrated probability.
        median_change: over images, of the largest change among an image's findings.
        flips: share of pairs of image and finding that cross the threshold in force.
    """

    num_images: int
    num_patients: int
    aurocs: Comparison
    map_iou: float | None
    map_interval: Interval | None
    num_maps: int
    largest_change: float
    median_change: float
    flips: float

    @property
    def auroc_shift(self) -> float | None:
        """Mean AUROC minus the original's; None where no AUROC is defined."""
        mean_a, mean_b = self.aurocs.mean_a, self.aurocs.mean_b
        return None if mean_a is None or mean_b is None else mean_a - mean_b

    @property
    def is_accepted(self) -> bool:
        """Both limits are kept by numbers that exist, and by their intervals: what may be over a limit is refused."""
        if self.auroc_shift is None or self.map_iou is None:
            return False
        shifts = (self.auroc_shift, *(self.aurocs.interval or ()))
        overlaps = (self.map_iou, *(self.map_interval or ()))
        return all(abs(shift) <= AUROC_LIMIT for shift in shifts) and all(iou >= IOU_LIMIT for iou in overlaps)


def answers(classifier: Classifier, inputs: Sequence[ModelInput]) -> Answers:
    """Ask one picture at a time, as serving mostly does."""
    logits, maps = [], []
    for one in tqdm(inputs, desc="asking", unit="img", delay=1):
        output = classifier.predict(one.image[None, None], saliency=True)
        if output.saliency is None:
            raise RuntimeError("the classifier was asked for maps and gave none")
        logits.append(output.logits)
        maps.append(output.saliency)
    joined = np.concatenate(logits)
    names = tuple(finding.name for finding in classifier.findings)
    probabilities = classifier.probabilities(joined)
    scores = Scores(names, joined, probabilities)
    return Answers(scores, classifier.positive(probabilities), np.concatenate(maps))


def agreement(
    quantised: Answers,
    original: Answers,
    pictures: Pictures,
    map_threshold: float,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Compare.

    Args:
        quantised: of the pictures.
        original: of the same pictures; the maps of what it calls positive are compared, which are those that are shown.
        pictures: with labels and patients.
        map_threshold: of the scaled map, from the bundle.
        num_resamples: bootstrap draws of patients.
        seed: of the bootstrap.
    """
    draws = {"num_resamples": num_resamples, "seed": seed}
    aurocs = compare(quantised.scores, original.scores, pictures.labels, pictures.patients, **draws)
    overlaps = map_overlaps(quantised.maps, original.maps, original.positive, pictures.inputs, map_threshold)
    there = ~np.isnan(overlaps)
    resampling = Resampling.by_patient(pictures.patients, num_resamples, seed)
    sums, counts = np.nansum(overlaps, axis=1)[:, None], there.sum(axis=1)[:, None].astype(np.float64)
    trained = quantised.scores.trained & original.scores.trained
    moved = np.abs(_probabilities(quantised) - _probabilities(original))[:, trained]
    flipped = (quantised.positive != original.positive)[:, trained]
    return Agreement(
        num_images=len(overlaps),
        num_patients=len(set(pictures.patients)),
        aurocs=aurocs,
        map_iou=float(overlaps[there].mean()) if there.any() else None,
        map_interval=interval(resampling.shares(sums, counts)[:, 0]),
        num_maps=int(there.sum()),
        largest_change=float(moved.max()),
        median_change=float(np.median(moved.max(axis=1))),
        flips=float(flipped.mean()),
    )


def map_overlaps(
    maps_a: NDArray[np.float32],
    maps_b: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    inputs: Sequence[ModelInput],
    threshold: float,
) -> NDArray[np.float64]:
    """IoU of what two maps light up above a threshold: (N, F), NaN where it is not wanted or neither lights up.

    Args:
        maps_a: raw (N, F, G, G).
        maps_b: likewise.
        wanted: (N, F).
        inputs: N pictures; their padding takes no part.
        threshold: of the map as it is shown, scaled over the picture.
    """
    found = np.full(wanted.shape, np.nan)
    for image, finding in zip(*np.nonzero(wanted), strict=True):
        placement = inputs[image].letterbox
        first, second = (saliency_map(maps[image, finding], placement) > threshold for maps in (maps_a, maps_b))
        if united := int((first | second).sum()):
            found[image, finding] = int((first & second).sum()) / united
    return found


def _probabilities(said: Answers) -> NDArray[np.float64]:
    if said.scores.probabilities is None:
        raise RuntimeError("a bundle's classifier has probabilities")
    return said.scores.probabilities
