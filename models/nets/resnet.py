"""ResNet-50, in which the paper's self-supervised ImageNet baselines were published, under torchvision's names."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck


@dataclass(frozen=True, slots=True)
class ResNetShape:
    """Size of a ResNet of bottlenecks: how many of them each of the four stages has, width of the first stage's."""

    blocks: tuple[int, int, int, int]
    bottleneck: int = 64


RESNET50 = ResNetShape((3, 4, 6, 3))


@dataclass(frozen=True, slots=True)
class ResNetConfig:
    """Architecture of a classifier: what a checkpoint must agree with."""

    shape: ResNetShape
    num_findings: int


class ResNetClassifier(ResNet):  # type: ignore[misc]  # torchvision is untyped
    """ResNet with a linear head over the mean of the last feature map; its names are torchvision's.

    Source: He et al. 2016, arXiv:1512.03385, with the stride in the 3x3 convolution, as torchvision has it.
    """

    def __init__(self, num_findings: int, shape: ResNetShape = RESNET50) -> None:
        super().__init__(Bottleneck, shape.blocks, num_classes=num_findings, width_per_group=shape.bottleneck)
        self.config = ResNetConfig(shape, num_findings)

    def saliency(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the raw Grad-CAM map of every finding, in one forward pass without autograd.

        Target: the output F of the last stage. logit = fc(mean of F), so the gradient is the finding's weights over
        the number of positions, everywhere the same, and Grad-CAM is CAM (Zhou et al. 2016, arXiv:1512.04150).

        Args:
            images: (B, 3, S, S) float, normalised.

        Returns:
            logits (B, F) and maps (B, F, G, G), G = S / 32: ReLU of the weighted output of the last stage, before any
            scaling.

        Raises:
            ValueError: the network is in training mode, where batch norm has no fixed scale.
        """
        if self.training:
            raise ValueError("maps need batch norm's running statistics: call eval() first")
        logits, maps = class_activation(self.fc, self._last_stage(images))
        return logits, functional.relu(maps)

    def _last_stage(self, images: Tensor) -> Tensor:
        """Everything before the pooling: (B, D, G, G)."""
        features: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = stage(features)
        return features


def class_activation(head: nn.Linear, features: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, F) of a linear head over the mean of a feature map (B, D, G, G), and maps (B, F, G, G) before ReLU."""
    channel_weights = head.weight / math.prod(features.shape[2:])
    return head(features.mean(dim=(2, 3))), torch.einsum("fd,bdhw->bfhw", channel_weights, features)
