"""The official code's training step, written anew for comparison: float32, explicit attention, nothing left out.

Every patch is embedded before most are dropped, every patch is predicted before most are ignored, attention's matrix is
formed, and the optimizer goes parameter by parameter. The numbers are those of our networks, whose weights it shares.

Source: facebookresearch/mae and timm 0.4.12 as arXiv:2210.12843 uses them.
"""

from collections.abc import Iterable
from typing import Any, cast

import torch
from timm.layers import Attention
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW

from models.nets.mae import MaskedAutoencoder
from models.nets.masking import keep_count, mask_from_noise, take_tokens
from models.nets.vit import VitClassifier


def pretraining_loss(network: MaskedAutoencoder, images: Tensor, noise: Tensor, mask_ratio: float) -> Tensor:
    """Loss of a masked autoencoder, as `MaskedAutoencoder.training_loss` has it, the long way."""
    tokens = network.patch_embed(images) + network.pos_embed[:, 1:]
    masking = mask_from_noise(noise, keep_count(network.num_patches, mask_ratio))
    cls_token = (network.cls_token + network.pos_embed[:, :1]).expand(len(images), -1, -1)
    latents = torch.cat([cls_token, take_tokens(tokens, masking.ids_keep)], dim=1)
    latents = network.norm(_blocks(network.blocks, latents))
    pred = network.decoder_pred(_decode(network, latents, masking.ids_restore))[:, 1:]
    error = (pred - network.target(images)).square().mean(dim=-1)
    loss: Tensor = (error * masking.mask).sum() / masking.mask.sum()
    return loss


def _decode(network: MaskedAutoencoder, latents: Tensor, ids_restore: Tensor) -> Tensor:
    tokens = network.decoder_embed(latents)
    hidden = network.mask_token.repeat(len(tokens), ids_restore.shape[1] + 1 - tokens.shape[1], 1)
    patches = take_tokens(torch.cat([tokens[:, 1:], hidden], dim=1), ids_restore)
    tokens = torch.cat([tokens[:, :1], patches], dim=1) + network.decoder_pos_embed
    decoded: Tensor = network.decoder_norm(_blocks(network.decoder_blocks, tokens))
    return decoded


def classification_loss(network: VitClassifier, images: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of a classifier with an average-pool head."""
    tokens = network.patch_embed(images)
    cls_token, pos_embed = network.get_parameter("cls_token"), network.get_parameter("pos_embed")
    tokens = torch.cat([cls_token.expand(len(tokens), -1, -1), tokens], dim=1) + pos_embed
    tokens = _blocks(network.blocks, tokens)
    logits = network.head(network.fc_norm(tokens[:, 1:].mean(dim=1)))
    return functional.binary_cross_entropy_with_logits(logits, labels)


def _blocks(blocks: nn.ModuleList | nn.Sequential, tokens: Tensor) -> Tensor:
    for block in cast("Iterable[Block]", blocks):
        tokens = tokens + _attention(cast("Attention", block.attn), block.norm1(tokens))
        tokens = tokens + block.mlp(block.norm2(tokens))
    return tokens


def _attention(attention: Attention, tokens: Tensor) -> Tensor:
    batch, length, width = tokens.shape
    qkv = attention.qkv(tokens).reshape(batch, length, 3, attention.num_heads, width // attention.num_heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    weights = ((query @ key.transpose(-2, -1)) * attention.scale).softmax(dim=-1)
    mixed: Tensor = attention.proj((weights @ value).transpose(1, 2).reshape(batch, length, width))
    return mixed


def adamw(groups: Iterable[dict[str, Any]], beta2: float) -> AdamW:
    """AdamW one parameter at a time, as PyTorch 1.8 had it."""
    return AdamW(groups, lr=0.0, betas=(0.9, beta2), eps=1e-8, foreach=False, fused=False)
