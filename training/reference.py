"""The yardstick of the anomaly map: what the difference looks like on pictures read as normal."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from models.imaging.preprocess import ModelInput
from models.runtime.anomaly import AnomalyDetector
from models.runtime.anomaly_bands import cut_bands
from models.runtime.anomaly_map import Painting, measure
from models.runtime.anomaly_reference import AnomalyReference, log_of_map
from models.runtime.manifest import BandsSpec, Manifest, ReconstructorSpec
from models.runtime.session import Session

_SPREAD_PX = 8.0  # neighbours share statistics: a few dozen pictures say little about a single position
_BATCH = 4


def fit_reference(
    manifest: Manifest, session: Session, normals: Sequence[ModelInput], scored: Sequence[ModelInput] | None = None
) -> AnomalyReference:
    """Statistics of difference and map at each position, then the scores of pictures under them.

    Args:
        manifest: of the bundle in the making, with a reconstructor.
        session: its reconstructor.
        normals: pictures without finding that give the statistics.
        scored: pictures without finding that no weight was trained on, whose scores an upload's is compared with;
            None takes `normals`, each against statistics that include it, which flatters dozens of them by little.
    """
    plain = AnomalyDetector(manifest, session, None)
    paintings = list(_paint(plain, normals))
    reference = normal_statistics([one for one, _ in paintings], normals, plain.spec)
    compared = paintings if scored is None else _paint(plain, scored)
    scores = [measure(one, normal.letterbox.content, plain.spec, reference).score for one, normal in compared]
    return replace(reference, scores=np.sort(np.array(scores, np.float32)))


def normal_statistics(
    paintings: Sequence[Painting], normals: Sequence[ModelInput], spec: ReconstructorSpec
) -> AnomalyReference:
    """Statistics alone, with no score to compare with but 0.

    First of the difference; then, of a bundle with bands, of the maps that those give. So each picture is part of what
    its own map is measured by: one among all of them.

    Args:
        paintings: of each of `normals`.
        spec: how they are measured.
    """
    pairs = list(zip(paintings, normals, strict=True))
    mean, std = _statistics(_difference(painting, normal, spec.bands) for painting, normal in pairs)
    reference = AnomalyReference(mean, std, np.zeros(1, np.float32))
    if spec.bands is None:
        return reference
    maps = (_drawn(painting, normal, spec, reference) for painting, normal in pairs)
    logs = (np.where(known, log_of_map(drawn), np.float32(np.nan)) for drawn, known in maps)
    return replace(reference, log_map=np.stack(_statistics(logs)))


def _drawn(
    painting: Painting, normal: ModelInput, spec: ReconstructorSpec, reference: AnomalyReference
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The map under statistics of the difference, and where it is known."""
    drawn = measure(painting, normal.letterbox.content, spec, reference).calibrated
    return drawn, _known(painting, normal)


def _paint(detector: AnomalyDetector, normals: Sequence[ModelInput]) -> Iterator[tuple[Painting, ModelInput]]:
    with tqdm(total=len(normals), desc="normal references", unit="img") as bar:
        for start in range(0, len(normals), _BATCH):
            batch = normals[start : start + _BATCH]
            yield from zip(detector.paint(np.stack([normal.image for normal in batch])[:, None]), batch, strict=True)
            bar.update(len(batch))


def _difference(painting: Painting, normal: ModelInput, bands: BandsSpec | None) -> NDArray[np.float32]:
    """Bands of the signed difference (N, S, S), or the absolute one (S, S); NaN in the padding and where unknown."""
    known = _known(painting, normal)
    signed = painting.image.astype(np.float32) / np.float32(255) - painting.reconstruction
    parts = np.abs(signed) if bands is None else cut_bands(signed, known, bands.widths_px)
    return np.where(known, parts, np.float32(np.nan))


def _known(painting: Painting, normal: ModelInput) -> NDArray[np.bool_]:
    """Where there is picture and painting."""
    known = np.isfinite(painting.reconstruction)
    top, left, bottom, right = normal.letterbox.content
    known[:top] = known[bottom:] = known[:, :left] = known[:, right:] = False
    return known


def _statistics(differences: Iterable[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation by position, neighbours included; NaN does not count."""
    count = total = squares = np.zeros(())
    for parts in differences:
        known = np.isfinite(parts)
        filled = np.where(known, parts, 0).astype(np.float64)
        count, total, squares = count + known, total + filled, squares + filled**2
    count, total, squares = (_spread(part) for part in (count, total, squares))
    mean = total / np.maximum(count, 1e-6)
    std = np.sqrt(np.maximum(squares / np.maximum(count, 1e-6) - mean**2, 0))
    return mean.astype(np.float32), std.astype(np.float32)


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along rows and columns, not across bands."""
    spread: NDArray[np.float64] = gaussian_filter(values, _SPREAD_PX, axes=(-2, -1))
    return spread
