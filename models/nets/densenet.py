"""DenseNet-121, the convolutional baseline, under torchvision's names."""

from dataclasses import dataclass

from torch import Tensor
from torchvision.models import DenseNet

from models.nets.saliency import densenet_saliency


@dataclass(frozen=True, slots=True)
class DenseNetShape:
    """Size of a DenseNet: channels each layer adds, layers of the four blocks, channels of the first convolution."""

    growth: int
    blocks: tuple[int, int, int, int]
    stem: int


DENSENET121 = DenseNetShape(32, (6, 12, 24, 16), 64)


@dataclass(frozen=True, slots=True)
class DenseNetConfig:
    """Architecture of a classifier: what a checkpoint must agree with."""

    shape: DenseNetShape
    num_findings: int


class DenseNetClassifier(DenseNet):  # type: ignore[misc]  # torchvision is untyped
    """DenseNet with a linear head over the mean of the last feature map; its names are torchvision's.

    Source: Huang et al. 2017, arXiv:1608.06993; on radiographs since CheXNet, arXiv:1711.05225.
    """

    def __init__(self, num_findings: int, shape: DenseNetShape = DENSENET121) -> None:
        super().__init__(shape.growth, shape.blocks, shape.stem, num_classes=num_findings)
        self.config = DenseNetConfig(shape, num_findings)

    def saliency(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the raw Grad-CAM map of every finding, in one forward pass without autograd.

        Args:
            images: (B, 3, S, S) float, normalised.

        Returns:
            logits (B, F) and maps (B, F, G, G), G = S / 32: ReLU of the weighted output of the last dense block,
            before any scaling.

        Raises:
            ValueError: the network is in training mode, where batch norm has no fixed scale.
        """
        if self.training:
            raise ValueError("maps need batch norm's running statistics: call eval() first")
        return densenet_saliency(self, self.features[:-1](images))  # all but norm5
