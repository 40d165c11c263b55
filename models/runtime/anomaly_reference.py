"""What the difference map looks like over normal pictures: the yardstick of the anomaly map."""

import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidBundleError

_STD_FLOOR: Final = 1 / 255  # one grey level: a position that never varies, as padding, is no yardstick
_BAND_STD_FLOOR: Final = 2 / 255  # the same for a signed band, whose mean is near 0
_MAP_FLOOR: Final = 0.05  # of a map in deviations: its logarithm says nothing of what is smaller
_LOG_STD_FLOOR: Final = 0.1  # of that logarithm; over normals it is 0.4 and more
_LIMIT_BYTES: Final = 256 * 2**20  # unpacked: two maps of 4096 x 4096


@dataclass(frozen=True, slots=True)
class AnomalyReference:
    """Statistics over normal pictures, made with the bundle's default masks.

    Attributes:
        mean, std: (S, S) float32 of the difference map, position by position; (N, S, S) of a bundle with N bands, of
            each band of the signed difference.
        scores: (n,) float32 image scores, ascending.
        log_map: (2, S, S) float32, mean and std of the logarithm of the map that these bands give; None in bundles
            whose maps are not compared with those of normals.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    scores: NDArray[np.float32]
    log_map: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if (
            self.mean.ndim not in (2, 3)
            or self.mean.shape != self.std.shape
            or self.scores.ndim != 1
            or not len(self.scores)
        ):
            raise ValueError(f"mean {self.mean.shape}, std {self.std.shape}, scores {self.scores.shape}")
        parts = [self.mean, self.std, self.scores]
        if self.log_map is not None:
            parts.append(self.log_map)
            if self.log_map.shape != (2, *self.mean.shape[-2:]):
                raise ValueError(f"log_map {self.log_map.shape}, mean {self.mean.shape}")
        if not all(part.dtype == np.float32 and np.isfinite(part).all() for part in parts):
            raise ValueError("all statistics and scores must be finite float32")
        if (
            (self.std < 0).any()
            or (self.log_map is not None and (self.log_map[1] < 0).any())
            or (np.diff(self.scores) < 0).any()
        ):
            raise ValueError("std must not be negative, scores must ascend")

    def excess(self, difference: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standard deviations above the normal mean, 0 below it; NaN stays NaN."""
        deviations = (difference - self.mean) / np.maximum(self.std, np.float32(_STD_FLOOR))
        return np.maximum(deviations, np.float32(0))

    def standardise(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, S, S) signed, in standard deviations from the normal mean of each band."""
        deviations = (bands - self.mean) / np.maximum(self.std, np.float32(_BAND_STD_FLOOR))
        return deviations.astype(np.float32, copy=False)

    def beyond_normal(self, drawn: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map (S, S) in standard deviations above what normals have at each place, 0 below it.

        By its logarithm, which over normals is nearly normal where the map itself has a long tail. Without statistics
        of maps it stays what it is.
        """
        if self.log_map is None:
            return drawn
        mean, std = self.log_map
        deviations: NDArray[np.float32] = (log_of_map(drawn) - mean) / np.maximum(std, np.float32(_LOG_STD_FLOOR))
        return np.maximum(deviations, np.float32(0))

    def percentile(self, score: float) -> float:
        """Share of the normal pictures whose score is not above this one, in percent: 0 to 100."""
        return 100 * float(np.searchsorted(self.scores, score, side="right")) / len(self.scores)


def load_reference(content: bytes, side: int, num_bands: int | None = None) -> AnomalyReference:
    """Read `anomaly_reference.npz`.

    Args:
        side: of the bundle's images.
        num_bands: of a bundle with bands; None for one without.

    Raises:
        InvalidBundleError: not an archive of these arrays, or not for images of this side and these bands; pickled
            objects are never loaded.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            size_bytes = sum(member.file_size for member in archive.infolist())
        if size_bytes > _LIMIT_BYTES:
            raise InvalidBundleError(f"anomaly reference unpacks to {size_bytes} bytes")
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            reference = AnomalyReference(arrays["mean"], arrays["std"], arrays["scores"], arrays.get("log_map"))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidBundleError(f"anomaly reference cannot be used: {error}") from error
    if reference.mean.shape != ((side, side) if num_bands is None else (num_bands, side, side)):
        bands = "" if num_bands is None else f" and it has {num_bands} bands"
        raise InvalidBundleError(f"anomaly reference is for {reference.mean.shape}, the bundle's side is {side}{bands}")
    return reference


def dump_reference(reference: AnomalyReference) -> bytes:
    """The bytes of `anomaly_reference.npz`; equal for equal statistics."""
    content = BytesIO()
    mean, std, scores = reference.mean, reference.std, reference.scores
    if reference.log_map is None:
        np.savez_compressed(content, mean=mean, std=std, scores=scores)
    else:
        np.savez_compressed(content, mean=mean, std=std, scores=scores, log_map=reference.log_map)
    return content.getvalue()


def log_of_map(drawn: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scale in which maps of normals are compared: natural logarithm, from a floor on."""
    return np.log(np.maximum(drawn, np.float32(_MAP_FLOOR)))
