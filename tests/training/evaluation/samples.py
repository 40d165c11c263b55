"""Labels and scores to try statistics on."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

# Few distinct scores, so that ties are everywhere.
LABELS_AND_SCORES = st.integers(2, 40).flatmap(
    lambda n: st.tuples(arrays(np.bool_, n), arrays(np.float32, n, elements=st.integers(-3, 3).map(float)))
)


def cohort(
    generator: np.random.Generator, num_patients: int = 30, num_findings: int = 3, images: int = 3
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels (N, F) with unknown ones, scores (N, F) with ties, and patients with up to `images` images each."""
    patients = [f"p{patient}" for patient in range(num_patients) for _ in range(generator.integers(1, images + 1))]
    shape = len(patients), num_findings
    labels = (generator.random(shape) < 0.4).astype(np.float32)
    scores = np.round(labels + generator.normal(0, 1, shape), 1).astype(np.float32)
    labels[generator.random(shape) < 0.1] = np.nan
    return labels, scores, patients
