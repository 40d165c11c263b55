"""All randomness of a run, as a function of its seed and the step.

Nothing is carried from one step to the next. A resumed run, a loader in other processes and a run on several GPUs
draw what one uninterrupted process would have drawn.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray


def generator_of(seed: int, step: int, stream: int = 0) -> torch.Generator:
    """A generator of its own for each step.

    Args:
        seed: of the run.
        step: from 0.
        stream: tells apart what must not share numbers within a step.
    """
    return torch.Generator().manual_seed(number_of(seed, step, stream))


def number_of(seed: int, step: int, stream: int = 0) -> int:
    """A number for generators that are seeded by one; below 2**63."""
    return int(np.random.SeedSequence([seed, step, stream]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def rows_of(step: int, *, num_images: int, batch: int, seed: int) -> NDArray[np.int64]:
    """Images of a step, in ascending order: a new permutation each epoch, its incomplete last batch dropped."""
    epoch, place = divmod(step, num_images // batch)
    return np.sort(_order(num_images, seed, epoch)[place * batch : (place + 1) * batch])


@lru_cache(maxsize=2)
def _order(num_images: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(num_images)
