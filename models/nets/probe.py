"""A solved head over what a frozen vision transformer says of a picture as a whole: mean and spread of its patches."""

from dataclasses import dataclass

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from models.nets.kernel_head import KernelHead
from models.nets.vit import VitShape, layer_norm

_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class ProbeConfig:
    """Architecture of a classifier: what a checkpoint must agree with.

    Attributes:
        image_size_px: rows and columns at which pictures are looked at, whatever size they come in.
        num_supports: pictures that a kernel head compares with; 0 for a linear head.
    """

    shape: VitShape
    num_findings: int
    image_size_px: int = 224
    patch_size_px: int = 16
    num_supports: int = 0


class ProbeClassifier(nn.Module):
    """A ViT whose normalised patch tokens t (P, D) are summed up by mean and standard deviation, and a head.

    The spread says how uneven a picture is, which the mean of a masked autoencoder's tokens does not: they were made to
    paint each patch by itself. docs/science.md has what it is worth.

    `trunk` has timm's names.
    """

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = VisionTransformer(
            img_size=config.image_size_px,
            patch_size=config.patch_size_px,
            embed_dim=config.shape.width,
            depth=config.shape.depth,
            num_heads=config.shape.heads,
            num_classes=0,
            global_pool="token",
            norm_layer=layer_norm,
        )
        seen = 2 * config.shape.width
        self.head: nn.Linear | KernelHead = (
            KernelHead(seen, config.num_supports, config.num_findings)
            if config.num_supports
            else nn.Linear(seen, config.num_findings)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) float, normalised, of any size, to logits (B, F)."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """What the head sees: (B, 2 D), means before deviations."""
        mean, spread = _moments(self._tokens(images))
        return torch.cat([mean, spread], dim=1)

    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, F) and what each patch adds to them, (B, F, G, G); their mean is the logit less the bias.

        A mean is the mean of its tokens; a standard deviation s is that of (t - mean)**2 / s, which is the gradient
        of s at t, times t - mean. Both are weighed by the head's weights, or by a kernel head's slope at this picture;
        what such a head bends away from its slope has no place, and is spread evenly.
        """
        tokens = self._tokens(images)
        mean, spread = _moments(tokens)
        seen = torch.cat([mean, spread], dim=1)
        logits: Tensor = self.head(seen)
        slope = self.head.slope(seen) if isinstance(self.head, KernelHead) else self.head.weight.unsqueeze(0)
        of_mean, of_spread = slope.transpose(1, 2).chunk(2, dim=1)
        squares = ((tokens - mean.unsqueeze(1)).square() + _LEAST_VARIANCE) / spread.unsqueeze(1)
        added = tokens @ of_mean + squares @ of_spread  # (B, P, F)
        if isinstance(self.head, KernelHead):
            added = added + (logits - self.head.bias - added.mean(dim=1)).unsqueeze(1)
        side = self.config.image_size_px // self.config.patch_size_px
        return logits, added.transpose(1, 2).unflatten(2, (side, side))

    def saliency(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, F) and maps (B, F, G, G) of the evidence for each finding, before any scaling."""
        logits, added = self.evidence(images)
        return logits, functional.relu(added)

    def _tokens(self, images: Tensor) -> Tensor:
        side_px = self.config.image_size_px
        if images.shape[-1] != side_px:
            images = functional.interpolate(images, size=(side_px, side_px), mode="bilinear", align_corners=False)
        tokens: Tensor = self.trunk.forward_features(images)[:, 1:]
        return tokens


def _moments(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """(B, P, D) to mean and standard deviation over P, (B, D) each."""
    mean = tokens.mean(dim=1)
    variance = (tokens - mean.unsqueeze(1)).square().mean(dim=1)
    return mean, (variance + _LEAST_VARIANCE).sqrt()
