"""What a training set says of itself."""

import numpy as np

from training.data.packed import PackedImages
from training.finetune import LabelledImages
from training.material import Labelled


def test_prevalence__counts_known_labels_alone():
    """And says a half where none is known."""
    nan = np.nan
    labels = np.array([[1, nan, nan], [0, 1, nan], [0, 1, nan], [0, 0, nan]], np.float32)
    images = PackedImages.joined([np.zeros((4, 8, 8), np.uint8)])

    prevalence = Labelled(("a", "b", "c"), (), LabelledImages(images, labels)).prevalence()

    assert np.allclose([0.25, 2 / 3, 0.5], prevalence)
    assert prevalence.dtype == np.float32
