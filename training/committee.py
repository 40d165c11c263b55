"""Classifiers of several kinds as one network: what a bundle serves where no single kind is best."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.architecture import Classifier
from models.nets.probe import ProbeClassifier
from models.nets.slim_resnet import SlimClassifier
from models.nets.vit import VitClassifier

Member = SlimClassifier | ProbeClassifier | VitClassifier


class Committee(nn.Module):
    """The mean of the logits of its members, which look at the same picture at sizes of their own.

    Each member's logit is its bias and the mean of what its positions add, so the mean of those maps, on the finest of
    the members' grids, says what each place adds to the committee's.

    Args:
        members: two at least, of the same findings.

    Raises:
        ValueError: one is of a kind whose maps are no such sum, or they have other findings.
    """

    def __init__(self, members: Sequence[Classifier]) -> None:
        super().__init__()
        if strangers := [type(one).__name__ for one in members if not _adds_up(one)]:
            raise ValueError(f"{strangers[0]}: its maps do not add up to its logits, so it cannot sit on a committee")
        if len({one.config.num_findings for one in members}) != 1:
            raise ValueError("members of a committee score the same findings")
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) float, normalised, to logits (B, F)."""
        return torch.stack([member(images) for member in self.members]).mean(dim=0)

    def saliency(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, F) and maps (B, F, G, G) of the evidence for each finding, before any scaling."""
        logits, added = zip(*[cast("Member", member).evidence(images) for member in self.members], strict=True)
        side = max(one.shape[-1] for one in added)
        maps = [one if one.shape[-1] == side else _finer(one, side) for one in added]
        return torch.stack(logits).mean(dim=0), functional.relu(torch.stack(maps).mean(dim=0))


def _adds_up(member: Classifier) -> bool:
    if isinstance(member, VitClassifier):
        return bool(member.global_pool == "avg")
    return isinstance(member, Member)


def _finer(maps: Tensor, side: int) -> Tensor:
    return functional.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)
