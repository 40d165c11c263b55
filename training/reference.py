"""The yardstick of the anomaly map: what the difference looks like on pictures read as normal."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from models.imaging.preprocess import ModelInput
from models.runtime.anomaly import AnomalyDetector
from models.runtime.anomaly_reference import AnomalyReference
from models.runtime.manifest import Manifest
from models.runtime.session import Session

_SPREAD_PX = 8.0  # neighbours share statistics: a few dozen pictures say little about a single position


def fit_reference(manifest: Manifest, session: Session, normals: Sequence[ModelInput]) -> AnomalyReference:
    """Mean and deviation of the difference at each position, then the scores of the same pictures under them.

    Each picture's score is taken against statistics that include it; with dozens of pictures that flatters normals
    by little, and the percentile says "of the references", no more.

    Args:
        manifest: of the bundle in the making, with a reconstructor.
        session: its reconstructor.
        normals: pictures without finding that no weight was trained on.
    """
    plain = AnomalyDetector(manifest, session, None)
    differences = np.stack(
        [_difference(plain, normal) for normal in tqdm(normals, desc="normal references", unit="img")]
    )
    known = np.isfinite(differences)
    count = _smooth(known.sum(axis=0))
    total, squares = (_smooth(np.where(known, part, 0).sum(axis=0)) for part in (differences, differences**2))
    mean = total / np.maximum(count, 1e-6)
    std = np.sqrt(np.maximum(squares / np.maximum(count, 1e-6) - mean**2, 0))
    reference = AnomalyReference(mean.astype(np.float32), std.astype(np.float32), np.zeros(1, np.float32))
    measured = AnomalyDetector(manifest, session, reference)
    scores = [measured.run(normal.image[None, None], [normal.letterbox.content])[0].score for normal in normals]
    return AnomalyReference(reference.mean, reference.std, np.sort(np.array(scores, np.float32)))


def _difference(detector: AnomalyDetector, normal: ModelInput) -> NDArray[np.float64]:
    """Difference map with NaN in the padding."""
    top, left, bottom, right = normal.letterbox.content
    difference = np.full(normal.image.shape, np.nan)
    inside = detector.run(normal.image[None, None], [normal.letterbox.content])[0].difference
    difference[top:bottom, left:right] = inside[top:bottom, left:right]
    return difference


def _smooth(values: NDArray[np.generic]) -> NDArray[np.float64]:
    smoothed: NDArray[np.float64] = gaussian_filter(values.astype(np.float64), _SPREAD_PX)
    return smoothed
