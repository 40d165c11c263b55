"""Where a frontal chest radiograph differs from what a masked autoencoder paints, measured against normal ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequestError
from models.runtime.anomaly_map import AnomalyMap, Content, Painting, measure
from models.runtime.anomaly_reference import AnomalyReference, load_reference
from models.runtime.bundle import Bundle
from models.runtime.manifest import Manifest
from models.runtime.session import CPU, Port, Session, open_session

__all__ = ["MAX_ROUNDS", "AnomalyDetector", "AnomalyMap", "complementary_keeps"]

MAX_ROUNDS: Final = 8  # all passes of an image go through the decoder at once: memory grows with rounds x K

_MOST_PASSES: Final = 80  # at once, of all images of a call; an image's own are never cut


def complementary_keeps(num_patches: int, masks: int, rounds: int, seed: int) -> NDArray[np.int64]:
    """Which patches each pass shows: in a round every patch at most once, in every pass the same number.

    A round cuts a seeded permutation of the L patches into K groups of V = floor(L / K); pass k shows group k alone.
    The L - K * V leftovers stay hidden all round. So every patch is hidden in at least K - 1 passes of a round.

    Args:
        num_patches: L.
        masks: K, within 2..L.
        seed: of PCG64.

    Returns:
        (rounds * K, V) patch numbers, ascending within a pass; one round after the other.

    Raises:
        ValueError: an argument out of range.
    """
    if not 2 <= masks <= num_patches or rounds < 1 or seed < 0:
        raise ValueError(f"masks {masks} of {num_patches} patches, rounds {rounds}, seed {seed}")
    generator = np.random.Generator(np.random.PCG64(seed))
    visible = num_patches // masks
    groups = [generator.permutation(num_patches)[: masks * visible].reshape(masks, visible) for _ in range(rounds)]
    return np.sort(np.concatenate(groups).astype(np.int64), axis=1)


class AnomalyDetector:
    """The bundle's reconstructor behind one session; safe to share between threads."""

    def __init__(self, manifest: Manifest, session: Session, reference: AnomalyReference | None) -> None:
        """`ValueError` where the manifest has no reconstructor; `InvalidBundleError` where the graph is another."""
        if manifest.reconstructor is None:
            raise ValueError("the bundle has no reconstructor")
        square = (None, 1, manifest.input.side, manifest.input.side)
        session.require(
            inputs=[Port("image", np.uint8, square), Port("keep", np.int64, (None, None))],
            outputs=[Port(name, np.float32, square) for name in ("reconstruction", "spread")],
        )
        self.spec = manifest.reconstructor
        self._session = session
        self._reference = reference

    @classmethod
    def open(
        cls, bundle: Bundle, *, threads: int = 0, providers: Sequence[str] = (CPU,), spinning: bool = True
    ) -> Self:
        """Make the session too; arguments and errors as in `open_session`.

        Raises:
            ValueError: the bundle has no reconstructor.
        """
        spec, side = bundle.manifest.reconstructor, bundle.manifest.input.side
        if spec is None:
            raise ValueError("the bundle has no reconstructor")
        session = open_session(bundle.files[spec.file], threads=threads, providers=providers, spinning=spinning)
        num_bands = None if spec.bands is None else len(spec.bands.widths_px)
        reference = (
            None if spec.reference is None else load_reference(bundle.files[spec.reference.file], side, num_bands)
        )
        return cls(bundle.manifest, session, reference)

    def run(
        self,
        images: NDArray[np.uint8],
        contents: Sequence[Content] | None = None,
        *,
        masks: int | None = None,
        rounds: int = 1,
        seed: int = 0,
    ) -> tuple[AnomalyMap, ...]:
        """Map the anomalies of B images; the same arguments give the same maps.

        Args:
            images: (B, 1, S, S) uint8.
            contents: what of each image is picture, as `Placement.content` says; None where all of it is.
            masks: K, one of the bundle's list; None for its default. The references know the default alone, so
                other masks have no percentile.
            rounds: within 1..MAX_ROUNDS; more rounds, less noise, more time.

        Raises:
            InvalidRequestError: masks, rounds or seed out of range.
            InvalidBundleError: the graph fails, or paints nothing of a picture.
        """
        masks = self.spec.default_masks if masks is None else masks
        paintings = self.paint(images, masks=masks, rounds=rounds, seed=seed)
        places = [(0, 0, *images.shape[2:])] * len(images) if contents is None else contents
        maps = (measure(*pair, self.spec, self._reference) for pair in zip(paintings, places, strict=True))
        if masks != self.spec.default_masks:
            return tuple(replace(anomaly, percentile=None) for anomaly in maps)
        return tuple(maps)

    def images_at_once(self, *, masks: int | None = None, rounds: int = 1) -> int:
        """Of how many images one run of the graph takes the passes; `run` cuts a longer batch into such parts.

        Raises:
            InvalidRequestError: masks or rounds out of range, as in `run`.
        """
        masks = self.spec.default_masks if masks is None else masks
        if masks not in self.spec.masks:
            raise InvalidRequestError(f"masks must be one of {', '.join(map(str, self.spec.masks))}")
        if not 1 <= rounds <= MAX_ROUNDS:
            raise InvalidRequestError(f"rounds must lie within 1..{MAX_ROUNDS}")
        return max(1, _MOST_PASSES // (masks * rounds))

    def paint(
        self, images: NDArray[np.uint8], *, masks: int | None = None, rounds: int = 1, seed: int = 0
    ) -> tuple[Painting, ...]:
        """What `run` measures: the mean painting of each of B images; arguments and errors as there."""
        masks = self.spec.default_masks if masks is None else masks
        step = self.images_at_once(masks=masks, rounds=rounds)
        if seed < 0:
            raise InvalidRequestError("seed must not be negative")
        keep = complementary_keeps(self.spec.grid**2, masks, rounds, seed)
        paintings: list[Painting] = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            painted, spread = self._session.run({"image": part, "keep": keep}, ["reconstruction", "spread"])
            paintings += map(Painting, part[:, 0], painted[:, 0], spread[:, 0])
        return tuple(paintings)
