"""Scaled heat maps of one finding an image, from the closed form or from pytorch-grad-cam."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.imaging.heatmap import min_max, saliency_map
from models.imaging.preprocess import ModelInput
from training.evaluation.network_model import NetworkModel
from training.evaluation.scores import Model
from training.gradcam import gradcam_of


class MapSource(Protocol):
    """Draws the map of one finding an image."""

    @property
    def name(self) -> str:
        """For the report."""

    def draw(self, inputs: Sequence[ModelInput], columns: Sequence[int]) -> NDArray[np.float32]:
        """(B, S, S) in [0, 1], scaled over the picture alone; padding is 0.

        Args:
            inputs: B pictures as the model sees them.
            columns: B outputs, one for each picture.
        """


class ClosedFormMaps:
    """What the bundle's graph, or our networks' `saliency`, gives beside the logits; scaled as serving does."""

    name = "closed form"

    def __init__(self, model: Model) -> None:
        self._model = model

    def draw(self, inputs: Sequence[ModelInput], columns: Sequence[int]) -> NDArray[np.float32]:
        """See `MapSource`."""
        grids = self._model.saliency(np.stack([one.image for one in inputs]))
        return np.stack(
            [saliency_map(grids[i, column], inputs[i].letterbox) for i, column in enumerate(columns)]  # one a picture
        )


class GradcamMaps:
    """pytorch-grad-cam with its own scaling, then once more over the picture alone."""

    name = "pytorch-grad-cam"

    def __init__(self, model: NetworkModel) -> None:
        self._model = model

    def draw(self, inputs: Sequence[ModelInput], columns: Sequence[int]) -> NDArray[np.float32]:
        """See `MapSource`."""
        images = self._model.normalised(np.stack([one.image for one in inputs]))
        drawn = gradcam_of(self._model.network, images, columns)
        scaled = np.zeros_like(drawn)
        for one, source, target in zip(inputs, drawn, scaled, strict=True):
            top, left, bottom, right = one.letterbox.content
            target[top:bottom, left:right] = min_max(source[top:bottom, left:right])
        return scaled
