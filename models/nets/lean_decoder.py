"""What a training step needs of a masked autoencoder's decoder, and no more.

Before the first block, a hidden token is the mask token plus its position: the same in every image. So `norm1` and
`qkv` of that block are computed for hidden tokens once a step, not once an image. After the last block only hidden
tokens are painted, so that block computes its attention's queries, its projection and its MLP for them alone. Value and
gradients are those of `MaskedAutoencoder.decode`. Of a ViT-S with the decoder 512x2 at a mask ratio of 0.90 and eight
images, this saves 9 % of all multiply-accumulates (tests/models/nets/test_cost.py counts them).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

from torch import Tensor
from torch.nn import functional

from models.nets.masking import take_tokens


class DecoderBlock(Protocol):
    """A transformer block under timm's names, without drop path or layer scale.

    Of a module's attributes mypy knows no more than that each is a tensor or a module, hence `Any`.
    """

    norm1: Any
    attn: Any
    norm2: Any
    mlp: Any


def decode_hidden(
    blocks: Sequence[DecoderBlock], shown: Tensor, ids_shown: Tensor, unseen: Tensor, ids_hidden: Tensor
) -> Tensor:
    """Run the decoder's blocks for what is painted.

    Args:
        blocks: at least one.
        shown: (B, 1 + V, D) class token and visible tokens, positions added.
        ids_shown: (B, 1 + V) int64, their places among all 1 + L tokens.
        unseen: (1, 1 + L, D), what a token is at each place where it is hidden, positions added.
        ids_hidden: (B, H) int64, places of the hidden tokens.

    Returns:
        (B, H, D), before the decoder's norm.
    """
    first, last = blocks[0], blocks[-1]
    tokens = _scatter(unseen, ids_shown, shown)
    projected = _scatter(_project(first, unseen), ids_shown, _project(first, shown))
    for block, following in pairwise(blocks):
        tokens = _finish(block, tokens, _attend(block, projected, projected))
        projected = _project(following, tokens)
    attended = _attend(last, take_tokens(projected, ids_hidden), projected)
    return _finish(last, take_tokens(tokens, ids_hidden), attended)


def _scatter(table: Tensor, ids: Tensor, rows: Tensor) -> Tensor:
    """A table (1, N, D) for each of B images, with rows (B, V, D) of its own at the places (B, V)."""
    places = ids.unsqueeze(-1).expand(-1, -1, rows.shape[-1])
    return table.expand(len(rows), -1, -1).scatter(1, places, rows)


def _project(block: DecoderBlock, tokens: Tensor) -> Tensor:
    """Query, key and value (B, N, 3D) of a block's input."""
    projected: Tensor = block.attn.qkv(block.norm1(tokens))
    return projected


def _attend(block: DecoderBlock, of_queries: Tensor, of_keys: Tensor) -> Tensor:
    """Attention of some tokens to all, from their projections: (B, Q, 3D) and (B, N, 3D) give (B, Q, D)."""
    query, _, _ = _heads(of_queries, block.attn.num_heads)
    _, key, value = _heads(of_keys, block.attn.num_heads)
    mixed = functional.scaled_dot_product_attention(query, key, value)
    attended: Tensor = block.attn.proj(mixed.transpose(1, 2).flatten(2))
    return attended


def _heads(projected: Tensor, num_heads: int) -> tuple[Tensor, ...]:
    """(B, N, 3D) to three of (B, H, N, E)."""
    apart: tuple[Tensor, ...] = projected.unflatten(2, (3, num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    return apart


def _finish(block: DecoderBlock, tokens: Tensor, attended: Tensor) -> Tensor:
    hidden = tokens + attended
    finished: Tensor = hidden + block.mlp(block.norm2(hidden))
    return finished
