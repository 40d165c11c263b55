"""Vision transformers that classify findings: timm's blocks under the names of released weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from models.nets.saliency import pooled_evidence, pooled_saliency, token_saliency

Head = Literal["token", "avg"]


@dataclass(frozen=True, slots=True)
class VitShape:
    """Size of a vision transformer: embedding width, number of blocks, attention heads."""

    width: int
    depth: int
    heads: int


VIT_SHAPES: Mapping[str, VitShape] = {
    "vit_tiny": VitShape(192, 12, 3),
    "vit_small": VitShape(384, 12, 6),
    "vit_base": VitShape(768, 12, 12),
}


@dataclass(frozen=True, slots=True)
class VitConfig:
    """Architecture of a classifier: what a checkpoint must agree with."""

    shape: VitShape
    num_findings: int
    head: Head = "token"
    image_size_px: int = 224
    patch_size_px: int = 16


layer_norm = partial(nn.LayerNorm, eps=1e-6)  # every LayerNorm of MAE and its classifiers; torch's default is 1e-5


class VitClassifier(VisionTransformer):
    """ViT with a linear head over the class token (`token`) or over the mean of the patch tokens (`avg`).

    State-dict names are timm's, which are also those of facebookresearch/mae and medical_mae: `norm` belongs to the
    class-token head, `fc_norm` to the average-pool head.

    Source: Dosovitskiy et al. 2021, arXiv:2010.11929; heads as in arXiv:2111.06377, appendix A.2.
    """

    def __init__(
        self,
        shape: VitShape,
        *,
        num_findings: int,
        head: Head = "token",
        image_size_px: int = 224,
        patch_size_px: int = 16,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__(
            img_size=image_size_px,
            patch_size=patch_size_px,
            embed_dim=shape.width,
            depth=shape.depth,
            num_heads=shape.heads,
            num_classes=num_findings,
            global_pool=head,
            norm_layer=layer_norm,
            drop_path_rate=drop_path,
        )
        self.config = VitConfig(shape, num_findings, head, image_size_px, patch_size_px)

    def tokens_before_last_block(self, images: Tensor) -> Tensor:
        """Everything below the last block: normalised images (B, 3, H, W) to tokens (B, 1 + L, D)."""
        tokens = self._pos_embed(self.patch_embed(images))
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def saliency(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the raw Grad-CAM map of every finding, in one forward pass without autograd.

        Args:
            images: (B, 3, S, S) float, normalised.

        Returns:
            logits (B, F) and maps (B, F, G, G): ReLU of the weighted activations at `norm1` of the last block, before
            any scaling.
        """
        tokens = self.tokens_before_last_block(images)
        explain = token_saliency if self.global_pool == "token" else pooled_saliency
        logits, maps = explain(self, tokens)
        return logits, maps.unflatten(2, self.patch_embed.grid_size)

    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, F) and what each patch adds to them, (B, F, G, G); their mean is the logit less what none adds.

        Raises:
            ValueError: the head looks at the class token, to which no patch adds by itself.
        """
        if self.global_pool != "avg":
            raise ValueError("a class token's logit is no sum over patches")
        logits, added = pooled_evidence(self, self.forward_features(images))
        return logits, added.unflatten(2, self.patch_embed.grid_size)


def vit(
    name: str, *, num_findings: int, head: Head = "token", image_size_px: int = 224, drop_path: float = 0.0
) -> VitClassifier:
    """Build a classifier by its name in `VIT_SHAPES`, patch size 16.

    Raises:
        KeyError: the name is unknown.
    """
    shape = VIT_SHAPES[name]
    return VitClassifier(shape, num_findings=num_findings, head=head, image_size_px=image_size_px, drop_path=drop_path)
