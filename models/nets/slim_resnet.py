"""A narrow ResNet of basic blocks: what two CPU cores can train on a thousand radiographs, and its ensembles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock

from models.nets.resnet import class_activation


@dataclass(frozen=True, slots=True)
class SlimShape:
    """Size of a ResNet of basic blocks: how many each of the four stages has, channels of the first stage."""

    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    width: int = 32


SLIM18 = SlimShape()
_RARE = 0.01  # prevalences are kept this far from 0 and 1


@dataclass(frozen=True, slots=True)
class SlimConfig:
    """Architecture of a classifier: what a checkpoint must agree with.

    Attributes:
        shape: of each member.
        num_findings: outputs.
        num_members: networks whose logits are averaged.
        image_size_px: rows and columns at which pictures are looked at, whatever size they come in.
    """

    shape: SlimShape
    num_findings: int
    num_members: int = 1
    image_size_px: int = 160


class SlimResNet(nn.Module):
    """One member: ResNet-18's stem and stages at a fraction of its width; its names are torchvision's.

    Source: He et al. 2016, arXiv:1512.03385; the last batch norm of each block starts at 0 (arXiv:1706.02677).
    """

    def __init__(self, shape: SlimShape, num_findings: int) -> None:
        super().__init__()
        width = shape.width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(width, width, shape.blocks[0], stride=1)
        self.layer2 = _stage(width, 2 * width, shape.blocks[1], stride=2)
        self.layer3 = _stage(2 * width, 4 * width, shape.blocks[2], stride=2)
        self.layer4 = _stage(4 * width, 8 * width, shape.blocks[3], stride=2)
        self.fc = nn.Linear(8 * width, num_findings)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)

    def last_stage(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, D, G, G), G = S / 32."""
        if self.training:  # a third faster in bfloat16 on a CPU
            images = images.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = stage(features)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, F)."""
        logits: Tensor = self.fc(self.last_stage(images).mean(dim=(2, 3)))
        return logits


class SlimClassifier(nn.Module):
    """The mean of the logits of its members, which look at the same picture.

    Together they are one network: the members' last stages side by side are its last feature map, and its head is
    linear over the mean of that map. So Grad-CAM of the whole has a closed form, as of one ResNet.
    """

    def __init__(self, config: SlimConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList([SlimResNet(config.shape, config.num_findings) for _ in range(config.num_members)])

    def start_from_prevalence(self, prevalence: Tensor) -> None:
        """Give random members heads that answer with the prevalence of each finding, (F,) in [0, 1], whatever they see.

        So nothing has to be learned of a picture to say that a finding is rare, and the maps, which leave the bias out,
        are not filled with evidence against it. Source: Lin et al. 2017, arXiv:1708.02002, section 4.1.
        """
        for member in self.members:
            head = cast("SlimResNet", member).fc
            nn.init.normal_(head.weight, std=0.01)
            with torch.no_grad():
                head.bias.copy_(torch.logit(prevalence, eps=_RARE))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) float, normalised, of any size, to logits (B, F)."""
        images = self._resized(images)
        return torch.stack([member(images) for member in self.members]).mean(dim=0)

    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, F) and what each position adds to them, (B, F, G, G); its mean is the logit less the bias.

        Raises:
            ValueError: the network is in training mode, where batch norm has no fixed scale.
        """
        if self.training:
            raise ValueError("maps need batch norm's running statistics: call eval() first")
        images = self._resized(images)
        members = [cast("SlimResNet", member) for member in self.members]
        logits, maps = zip(*[class_activation(one.fc, one.last_stage(images)) for one in members], strict=True)
        added = torch.stack(maps).mean(dim=0)
        return torch.stack(logits).mean(dim=0), added * math.prod(added.shape[2:])

    def saliency(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the raw Grad-CAM map of every finding, in one forward pass without autograd.

        Target: the members' last stages side by side. The gradient of the mean logit is each member's head over the
        number of members and positions, everywhere the same, and Grad-CAM is CAM (Zhou et al. 2016, arXiv:1512.04150).

        Args:
            images: (B, 3, S, S) float, normalised.

        Returns:
            logits (B, F) and maps (B, F, G, G), G = image_size_px / 32, before any scaling.

        Raises:
            ValueError: as `evidence`.
        """
        logits, added = self.evidence(images)
        return logits, functional.relu(added / math.prod(added.shape[2:]))

    def _resized(self, images: Tensor) -> Tensor:
        side_px = self.config.image_size_px
        if images.shape[-1] == side_px or self.training:  # training crops have the size that the recipe gives them
            return images
        return functional.interpolate(images, size=(side_px, side_px), mode="bilinear", align_corners=False)


def together(classifiers: Sequence[SlimClassifier]) -> SlimClassifier:
    """One classifier whose members are all members of these, in order; in eval mode.

    Raises:
        ValueError: none is given, or they differ in more than the number of their members.
    """
    kinds = {(one.config.shape, one.config.num_findings, one.config.image_size_px) for one in classifiers}
    if len(kinds) != 1:
        raise ValueError(f"{len(kinds)} kinds of networks make no ensemble")
    shape, num_findings, side_px = kinds.pop()
    members = [member for one in classifiers for member in one.members]
    ensemble = SlimClassifier(SlimConfig(shape, num_findings, len(members), side_px))
    for own, given in zip(ensemble.members, members, strict=True):
        own.load_state_dict(given.state_dict())
    return ensemble.eval()


def _stage(inputs: int, width: int, blocks: int, *, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != width:
        shortcut = nn.Sequential(nn.Conv2d(inputs, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
    first = BasicBlock(inputs, width, stride, shortcut)
    return nn.Sequential(first, *[BasicBlock(width, width) for _ in range(blocks - 1)])
