"""The masked autoencoder: an encoder that sees a few patches, a small decoder that paints the rest."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from models.nets.lean_decoder import decode_hidden
from models.nets.masking import Masking, keep_count, mask_from_noise, take_tokens
from models.nets.patches import patchify
from models.nets.pos_embed import sincos_2d
from models.nets.vit import VIT_SHAPES, VitShape, layer_norm


@dataclass(frozen=True, slots=True)
class MaeConfig:
    """Architecture of a masked autoencoder; the decoder is a `VitShape` of its own."""

    encoder: VitShape
    decoder: VitShape
    image_size_px: int = 224
    patch_size_px: int = 16
    norm_pix_loss: bool = False


DECODERS = {
    "512x2": VitShape(512, 2, 16),  # released ViT-S
    "512x8": VitShape(512, 8, 16),  # released ViT-B
    "128x2": VitShape(128, 2, 16),
    "128x2h4": VitShape(128, 2, 4),  # ours: four heads instead of 16 halve the step of a ViT-Ti on a CPU
    "192x4h6": VitShape(192, 4, 6),  # ours: as wide as a ViT-Ti, deep enough to paint with
}


class Reconstruction(NamedTuple):
    """What a masked autoencoder makes of a batch.

    Attributes:
        loss: scalar, mean squared error over hidden patches.
        pred: (B, L, patch**2 * 3), every patch, in normalised pixel space.
        mask: (B, L), 1 = hidden.
        ids_restore: (B, L) int64.
    """

    loss: Tensor
    pred: Tensor
    mask: Tensor
    ids_restore: Tensor


class MaskedAutoencoder(nn.Module):
    """MAE on timm blocks; state-dict names are those of facebookresearch/mae and medical_mae.

    Only visible patches are embedded and only wanted patches are decoded and predicted; the numbers are those of the
    reference, which embeds, decodes and predicts all and drops the rest.

    Source: He et al. 2022, arXiv:2111.06377; 90 % masking and the light decoder after arXiv:2210.12843.
    """

    def __init__(self, config: MaeConfig) -> None:
        super().__init__()
        self.config = config
        self.grid = config.image_size_px // config.patch_size_px
        encoder, decoder = config.encoder, config.decoder
        self.patch_embed = PatchEmbed(config.image_size_px, config.patch_size_px, 3, encoder.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, encoder.width))
        self.pos_embed = nn.Parameter(sincos_2d(encoder.width, self.grid), requires_grad=False)
        self.blocks = _blocks(encoder)
        self.norm = layer_norm(encoder.width)
        self.decoder_embed = nn.Linear(encoder.width, decoder.width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder.width))
        self.decoder_pos_embed = nn.Parameter(sincos_2d(decoder.width, self.grid), requires_grad=False)
        self.decoder_blocks = _blocks(decoder)
        self.decoder_norm = layer_norm(decoder.width)
        self.decoder_pred = nn.Linear(decoder.width, config.patch_size_px**2 * 3)
        self._initialise()

    def _initialise(self) -> None:
        """Weights as the reference draws them: qkv as one matrix, the patch projection as a linear layer."""
        self.apply(_initialise_linear)
        nn.init.xavier_uniform_(self.patch_embed.proj.weight.data.flatten(1))
        nn.init.normal_(self.cls_token, std=0.02)
        nn.init.normal_(self.mask_token, std=0.02)

    @property
    def num_patches(self) -> int:
        """Patches of one image, L."""
        return self.grid**2

    def encode(self, images: Tensor, ids_keep: Tensor) -> Tensor:
        """Embed and encode the visible patches alone.

        Args:
            images: (B, 3, S, S) normalised.
            ids_keep: (B, V) int64.

        Returns:
            (B, 1 + V, D) latents, class token first, patches in the order of `ids_keep`.
        """
        visible = take_tokens(patchify(images, self.config.patch_size_px), ids_keep)
        projection = self.patch_embed.proj.weight.permute(0, 2, 3, 1).flatten(1)  # rows in patchify's order
        tokens = functional.linear(visible, projection, self.patch_embed.proj.bias)
        positions = self.pos_embed.expand(images.shape[0], -1, -1)
        tokens = tokens + take_tokens(positions[:, 1:], ids_keep)
        cls_token = (self.cls_token + self.pos_embed[:, :1]).expand(images.shape[0], -1, -1)
        tokens = torch.cat([cls_token, tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped

    def decode(self, latents: Tensor, ids_restore: Tensor) -> Tensor:
        """Fill mask tokens in and run the decoder blocks.

        Args:
            latents: (B, 1 + V, D) from `encode`.
            ids_restore: (B, L).

        Returns:
            (B, L, Dd) decoded patch tokens in image order; `decoder_pred` paints them.
        """
        tokens = self.decoder_embed(latents)
        batch, num_patches = ids_restore.shape
        hidden = self.mask_token.expand(batch, num_patches + 1 - tokens.shape[1], -1)
        patches = take_tokens(torch.cat([tokens[:, 1:], hidden], dim=1), ids_restore)
        tokens = torch.cat([tokens[:, :1], patches], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            tokens = block(tokens)
        return self.decoder_norm(tokens)[:, 1:]  # type: ignore[no-any-return]

    def target(self, images: Tensor) -> Tensor:
        """What the decoder should paint: (B, L, patch**2 * 3); standardised a patch where `norm_pix_loss` is on."""
        patches = patchify(images, self.config.patch_size_px)
        if not self.config.norm_pix_loss:
            return patches
        mean, variance = patches.mean(dim=-1, keepdim=True), patches.var(dim=-1, keepdim=True)
        return (patches - mean) / (variance + 1e-6).sqrt()

    def forward(self, images: Tensor, noise: Tensor, mask_ratio: float) -> Reconstruction:
        """Hide patches, paint all, compare the hidden ones.

        Args:
            images: (B, 3, S, S) normalised.
            noise: (B, L), any order-giving values; the smallest stay visible.
            mask_ratio: share hidden; `keep_count` says how many stay.
        """
        masking = self._mask(noise, mask_ratio)
        pred = self.decoder_pred(self.decode(self.encode(images, masking.ids_keep), masking.ids_restore))
        error = (pred - self.target(images)).square().mean(dim=-1)
        loss = (error * masking.mask).sum() / masking.mask.sum()
        return Reconstruction(loss, pred, masking.mask, masking.ids_restore)

    def training_loss(self, images: Tensor, noise: Tensor, mask_ratio: float) -> Tensor:
        """The loss of `forward`, decoding and painting hidden patches only: what a training step needs and no more."""
        masking = self._mask(noise, mask_ratio)
        decoded = self._decode_hidden(self.encode(images, masking.ids_keep), masking)
        pred = self.decoder_pred(self.decoder_norm(decoded))
        return functional.mse_loss(pred, take_tokens(self.target(images), masking.ids_hidden))

    def _decode_hidden(self, latents: Tensor, masking: Masking) -> Tensor:
        """Of `decode`, the hidden patches before the decoder's norm: (B, L - V, Dd)."""
        positions = self.decoder_pos_embed
        ids_shown = functional.pad(masking.ids_keep + 1, (1, 0))  # the class token is at place 0
        shown = self.decoder_embed(latents) + take_tokens(positions.expand(len(latents), -1, -1), ids_shown)
        unseen = self.mask_token + positions
        return decode_hidden([*self.decoder_blocks], shown, ids_shown, unseen, masking.ids_hidden + 1)

    def _mask(self, noise: Tensor, mask_ratio: float) -> Masking:
        return mask_from_noise(noise, keep_count(self.num_patches, mask_ratio))


def mae(encoder: str, decoder: str, *, image_size_px: int = 224, norm_pix_loss: bool = False) -> MaskedAutoencoder:
    """Build by name: an encoder of `VIT_SHAPES` and a decoder of `DECODERS`.

    Raises:
        KeyError: a name is unknown.
    """
    config = MaeConfig(VIT_SHAPES[encoder], DECODERS[decoder], image_size_px, norm_pix_loss=norm_pix_loss)
    return MaskedAutoencoder(config)


def _blocks(shape: VitShape) -> nn.ModuleList:
    return nn.ModuleList(
        [
            # timm says "a type" and calls it; a partial of a type will do
            Block(shape.width, shape.heads, 4.0, qkv_bias=True, norm_layer=layer_norm)  # type: ignore[arg-type]
            for _ in range(shape.depth)
        ]
    )


def _initialise_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
