"""What the gate's network is fitted on: tuning pictures and mild variants, in some of their orientations."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.imaging.gate_features import describe
from training.gate.fit import Examples
from training.gate.pictures import Picture
from training.gate.variants import vary, view

_CHUNK = 64
_TURNED_WEIGHT = 0.3  # of a chest that is not upright, beside an upright one
_MORE_CHESTS = 4  # more upright variants of a chest, so that collections that were left out are refused less often


@dataclass(frozen=True, slots=True)
class Pool:
    """Features (N, D) of all tuning pictures, as they are and varied, with the picture and the turn of each row."""

    pictures: Sequence[Picture]
    features: NDArray[np.float16]
    owner: NDArray[np.int64]
    turns: NDArray[np.int64]

    def without(self, groups: Collection[str]) -> Examples:
        """Examples of all groups but these.

        Upright chests and other pictures weigh the same in sum; a group weighs the root of its size, so that one large
        collection does not speak for all.
        """
        kept_pictures = np.array([picture.group not in groups for picture in self.pictures])
        kept = np.flatnonzero(kept_pictures[self.owner])
        owners = [self.pictures[place] for place in self.owner[kept]]
        is_chest = np.array([picture.is_chest for picture in owners])
        upright = is_chest & (self.turns[kept] == 0)
        names, places, counts = np.unique(
            [picture.group for picture in owners], return_inverse=True, return_counts=True
        )
        if not (upright.any() and (~is_chest).any()):
            raise ValueError(f"chests and other pictures are both needed; there are {', '.join(names)}")
        weights = (1 / np.sqrt(counts))[places]
        turned = is_chest & ~upright
        weights[upright] /= weights[upright].sum()
        weights[~is_chest] /= weights[~is_chest].sum()
        weights[turned] *= _TURNED_WEIGHT / weights[turned].sum()
        return Examples(self.features[kept].astype(np.float32), upright.astype(np.float32), weights.astype(np.float32))


def pool(pictures: Sequence[Picture], seed: int) -> Pool:
    """Each picture as it is and varied: a chest upright and sometimes turned, any other in two orientations of each."""
    rng = np.random.default_rng(seed)
    parts, owner, turns = [], [], []
    views: list[NDArray[np.float32]] = []
    aspects: list[float] = []
    for place, picture in enumerate(tqdm(pictures, unit="picture")):
        for square, aspect, turn in _turned(picture, rng):
            seen = view(square, turn)
            if seen is None:
                continue
            views.append(seen)
            aspects.append(1 / aspect if turn % 2 else aspect)
            owner.append(place)
            turns.append(turn)
        if len(views) >= _CHUNK or place == len(pictures) - 1:
            if views:
                parts.append(describe(np.stack(views), np.array(aspects)).astype(np.float16))
            views.clear()
            aspects.clear()
    return Pool(pictures, np.concatenate(parts), np.array(owner), np.array(turns))


def _turned(picture: Picture, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.uint8], float, int]]:
    """Squares, aspects before any turn, and quarter turns."""
    if picture.square is None:
        raise ValueError(f"a picture of {picture.source} was read for testing only")
    varied = vary(picture.square, rng), _another_aspect(picture, rng, 0.08)
    for square, aspect in ((picture.square, picture.aspect), varied):
        for turn in (0, rng.integers(1, 4)) if picture.is_chest else rng.permutation(4)[:2]:
            yield square, aspect, int(turn)
    for _ in range(_MORE_CHESTS * picture.is_chest):
        yield vary(picture.square, rng), _another_aspect(picture, rng, 0.15), 0


def _another_aspect(picture: Picture, rng: np.random.Generator, deviation: float) -> float:
    return picture.aspect * float(np.exp(rng.normal(0, deviation)))
