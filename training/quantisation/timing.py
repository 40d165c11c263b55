"""How long classifiers take, side by side."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.runtime.classifier import Classifier

_RUNS = 30
_WARM_UP = 3


def median_ms(classifiers: Sequence[Classifier], image: NDArray[np.uint8], *, saliency: bool) -> list[float]:
    """Median time of one picture (1, 1, S, S) for each classifier, in turn, after three calls to warm up."""
    times: list[list[float]] = [[] for _ in classifiers]
    for run in range(_WARM_UP + _RUNS):
        for classifier, own in zip(classifiers, times, strict=True):
            start = time.perf_counter()
            classifier.predict(image, saliency=saliency)
            if run >= _WARM_UP:
                own.append(1e3 * (time.perf_counter() - start))
    return [float(np.median(own)) for own in times]
