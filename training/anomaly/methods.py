"""Ways of drawing a map over a radiograph: the product's, and what it has to beat. All are smoothed alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_gradient_magnitude

from models.imaging.preprocess import ModelInput
from models.nets.masking import keep_count
from models.runtime.anomaly import AnomalyDetector
from models.runtime.anomaly_map import Painting, measure
from models.runtime.anomaly_smooth import smooth
from models.runtime.manifest import Manifest, ReconstructorSpec
from models.runtime.session import Session
from training.anomaly.shuffled import shuffled_session
from training.reference import fit_reference, normal_statistics

PRODUCT: Final = "product"
INTENSITY, EDGES, MEAN_NORMAL = "intensity", "edges", "image - mean normal"
BANDS_ALONE: Final = "same measure, no network"
ONE_MASK, SHUFFLED = "one mask", "shuffled weights"

Maps: TypeAlias = NDArray[np.float32]  # (B, S, S), 0 in the padding
Draw: TypeAlias = Callable[[Sequence[ModelInput]], Maps]

_EDGE_PX: Final = 1.0


def simple_methods(normals: Sequence[ModelInput], manifest: Manifest) -> dict[str, Draw]:
    """What needs no network: brightness, edges, distance from the mean normal, and the product's measure of it.

    Args:
        normals: pictures without finding; their mean is that of each position.
        manifest: of the bundle whose smoothing and measure are used.
    """
    spec = _spec(manifest)
    total, count = np.zeros((2, manifest.input.side, manifest.input.side))
    for normal in normals:
        known = known_of(normal)
        total += _standard(normal, known)
        count += known
    mean = total / np.maximum(count, 1)
    reference = normal_statistics([_unpainted(normal) for normal in normals], normals, spec)

    def alone(normal: ModelInput) -> NDArray[np.float32]:
        return measure(_unpainted(normal), normal.letterbox.content, spec, reference).calibrated

    return {
        INTENSITY: _smoothed(lambda normal: normal.image / 255, spec),
        EDGES: _smoothed(lambda normal: gaussian_gradient_magnitude(normal.image / 255, _EDGE_PX), spec),
        MEAN_NORMAL: _smoothed(lambda normal: np.abs(_standard(normal, known_of(normal)) - mean), spec),
        BANDS_ALONE: lambda inputs: np.stack([alone(normal) for normal in inputs]),
    }


def product_method(detector: AnomalyDetector) -> Draw:
    """As it is served, with default masks."""

    def draw(inputs: Sequence[ModelInput]) -> Maps:
        maps = detector.run(_stack(inputs), [one.letterbox.content for one in inputs])
        return np.stack([one.calibrated for one in maps])

    return draw


def one_mask_methods(session: Session, spec: ReconstructorSpec, mask_ratio: float, seeds: int) -> Mapping[str, Draw]:
    """As in arXiv:2210.12843, figure 3: one random mask, the difference where it hides, 0 where it shows."""
    num_patches = spec.grid**2
    visible = keep_count(num_patches, mask_ratio)

    def with_seed(seed: int) -> Draw:
        order = np.random.Generator(np.random.PCG64(seed)).permutation(num_patches)
        keep = np.sort(order[:visible])[None].astype(np.int64)

        def draw(inputs: Sequence[ModelInput]) -> Maps:
            images = _stack(inputs)
            (painted,) = session.run({"image": images, "keep": keep}, ["reconstruction"])
            differences = np.nan_to_num(np.abs(images[:, 0] / np.float32(255) - painted[:, 0]))
            pairs = zip(differences, inputs, strict=True)
            return np.stack([smooth(one, known_of(shown), spec.smoothing_px) for one, shown in pairs])

        return draw

    return {f"{ONE_MASK} {seed}": with_seed(seed) for seed in range(seeds)}


def shuffled_methods(graph: bytes, manifest: Manifest, normals: Sequence[ModelInput], seeds: int) -> dict[str, Draw]:
    """The product with each weight tensor permuted, its references made anew under those weights."""
    methods = {}
    for seed in range(seeds):
        session = shuffled_session(graph, seed)
        detector = AnomalyDetector(manifest, session, fit_reference(manifest, session, normals))
        methods[f"{SHUFFLED} {seed}"] = product_method(detector)
    return methods


def known_of(shown: ModelInput) -> NDArray[np.bool_]:
    """(S, S), True where there is picture."""
    top, left, bottom, right = shown.letterbox.content
    known = np.zeros(shown.image.shape, np.bool_)
    known[top:bottom, left:right] = True
    return known


def _smoothed(draw: Callable[[ModelInput], NDArray[np.floating]], spec: ReconstructorSpec) -> Draw:
    def smoothed(inputs: Sequence[ModelInput]) -> Maps:
        maps = [smooth(draw(one).astype(np.float32), known_of(one), spec.smoothing_px) for one in inputs]
        return np.stack(maps)

    return smoothed


def _standard(shown: ModelInput, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The picture with mean 0 and deviation 1, 0 in the padding."""
    values = shown.image[known]
    return np.where(known, (shown.image - values.mean()) / max(float(values.std()), 1.0), 0.0)


def _unpainted(shown: ModelInput) -> Painting:
    """A painting of nothing: the difference is the picture."""
    nothing = np.zeros(shown.image.shape, np.float32)
    return Painting(shown.image, nothing, nothing)


def _stack(inputs: Sequence[ModelInput]) -> NDArray[np.uint8]:
    return np.stack([one.image for one in inputs])[:, None]


def _spec(manifest: Manifest) -> ReconstructorSpec:
    if manifest.reconstructor is None:
        raise ValueError("the bundle has no reconstructor")
    return manifest.reconstructor
