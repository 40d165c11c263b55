"""Grad-CAM of every finding inside the forward pass: no hooks, no autograd, exportable.

Target layer: `norm1` of the last transformer block, the LayerNorm that arXiv:2210.12843 names. With A (B, N, D) its
output and P patch tokens, Grad-CAM weighs channel d of finding c with the mean of d logit_c / d A over the patch
tokens. Only that mean is needed, and for it the backward pass of one block has a closed form; docs/saliency.md derives
it. Everything here is a plain tensor expression, so the maps leave an ONNX graph beside the logits.
"""

import math
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of a module's attributes mypy knows no more than that each is a tensor or a module, hence `Any` in these three.


class ExplainableVit(Protocol):
    """What the closed forms need of a vision transformer: its last block and its head, under timm's names."""

    blocks: Any
    norm: Any
    fc_norm: Any
    head: Any


class ExplainableDenseNet(Protocol):
    """What the closed form needs of a DenseNet: its final batch norm and its head, under torchvision's names."""

    features: Any
    classifier: Any


class _Block(Protocol):
    """A transformer block, under timm's names."""

    norm1: Any
    attn: Any
    norm2: Any
    mlp: Any


class _Attention(NamedTuple):
    """The last block's attention, taken apart; heads are their own axis (H heads of width E, D = H * E)."""

    activations: Tensor  # (B, N, D), output of norm1
    query: Tensor  # (B, H, Q, E), scaled
    key: Tensor  # (B, H, N, E)
    value: Tensor  # (B, H, N, E)
    weights: Tensor  # (B, H, Q, N)
    mixed: Tensor  # (B, H, Q, E), weights @ value
    q_weight: Tensor  # (D, D), with the scale folded in
    k_weight: Tensor  # (D, D)
    v_weight: Tensor  # (D, D)


def token_saliency(network: ExplainableVit, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Class-token head, logit = head(norm(y_0)): only the class token's row flows back.

    The last block is computed for that one query alone, which makes up for the few products that the maps add.

    Args:
        network: blocks and head.
        tokens: (B, N, D) entering the last block, class token first.

    Returns:
        logits (B, F) and raw maps (B, F, P), P = N - 1.
    """
    block = network.blocks[-1]
    attention = _attend(block, tokens, num_queries=1)
    hidden = tokens[:, :1] + _project(block, attention.mixed)
    features = block.mlp.fc1(block.norm2(hidden))
    output = hidden + block.mlp.fc2(block.mlp.act(features))
    logits = network.head(network.norm(output[:, 0]))

    grad_output = _layer_norm_backward(network.norm, output, network.head.weight)  # (B, F, D)
    grad_features = (grad_output @ block.mlp.fc2.weight) * _gelu_derivative(features)
    grad_hidden = grad_output + _layer_norm_backward(block.norm2, hidden, grad_features @ block.mlp.fc1.weight)
    grad_mixed = (grad_hidden @ block.attn.proj.weight).unflatten(2, (block.attn.num_heads, -1)).transpose(1, 2)

    num_patches = tokens.shape[1] - 1
    to_class_token = attention.weights[..., :1]  # (B, H, 1, 1); the rest of each row goes to patches
    # A softmax row's gradient sums to zero, so the sum over patch keys is minus the class token's entry.
    along_difference = (grad_mixed * (attention.value[:, :, :1] - attention.mixed)).sum(-1, keepdim=True)
    score_gradient = -to_class_token * along_difference
    mean_key = _join_heads(score_gradient * attention.query) / num_patches
    mean_value = _join_heads((1 - to_class_token) * grad_mixed) / num_patches
    channel_weights = mean_key @ attention.k_weight + mean_value @ attention.v_weight
    return logits, functional.relu(channel_weights @ attention.activations[:, 1:].transpose(1, 2))


def pooled_saliency(network: ExplainableVit, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool head, logit = head(fc_norm(mean of the patch tokens)).

    At the block's output the gradient is one vector for all patch tokens, and none for the class token, so every sum
    over queries runs over the P patch queries. The backward of norm2 and of the projection are merged into one product
    with a constant matrix.

    Args:
        network: blocks and head.
        tokens: (B, N, D) entering the last block, class token first.

    Returns:
        logits (B, F) and raw maps (B, F, P), P = N - 1.
    """
    block = network.blocks[-1]
    num_patches = tokens.shape[1] - 1
    attention = _attend(block, tokens, num_queries=None)
    hidden = (tokens + _project(block, attention.mixed))[:, 1:]
    features = block.mlp.fc1(block.norm2(hidden))
    pooled = (hidden + block.mlp.fc2(block.mlp.act(features))).mean(dim=1, keepdim=True)
    logits = network.head(network.fc_norm(pooled[:, 0]))

    grad_output = _layer_norm_backward(network.fc_norm, pooled, network.head.weight) / num_patches  # (B, F, D)
    grad_mixed = _pooled_grad_mixed(block, grad_output, hidden, features)  # (B, F, P, D)
    grad_mixed = grad_mixed.unflatten(3, (block.attn.num_heads, -1)).permute(0, 3, 1, 2, 4)  # (B, H, F, P, E)

    query, weights, mixed = (part[:, :, 1:] for part in (attention.query, attention.weights, attention.mixed))
    to_class_token = weights[..., :1].unsqueeze(2)  # (B, H, 1, P, 1)
    along_mixed = (grad_mixed * mixed.unsqueeze(2)).sum(-1, keepdim=True)  # (B, H, F, P, 1)
    along_class_token = grad_mixed @ attention.value[:, :, :1].unsqueeze(2).transpose(-1, -2)
    mean_value = ((1 - to_class_token) * grad_mixed).sum(dim=3)
    mean_key = (-to_class_token * (along_class_token - along_mixed) * query.unsqueeze(2)).sum(dim=3)
    gathered = weights.transpose(-1, -2).unsqueeze(2) @ grad_mixed  # (B, H, F, N, E)
    along_value = (gathered * attention.value.unsqueeze(2)).sum(-1)  # (B, H, F, N)
    attended_key = weights @ attention.key  # (B, H, P, E)
    mean_query = along_value @ attention.key - along_mixed.squeeze(-1) @ attended_key
    channel_weights = (
        _join_heads(mean_query) @ attention.q_weight
        + _join_heads(mean_key) @ attention.k_weight
        + _join_heads(mean_value) @ attention.v_weight
    ) / num_patches
    return logits, functional.relu(channel_weights @ attention.activations[:, 1:].transpose(1, 2))


def pooled_evidence(network: ExplainableVit, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool head: logits (B, F) and what each patch adds to them (B, F, P), to a constant for all pictures.

    `fc_norm` takes the mean token's own mean off and divides by its deviation. With that deviation given it is linear,
    so the mean token's share is the mean of the same of every patch token.

    Args:
        network: its head.
        tokens: (B, N, D) leaving the last block, class token first; P = N - 1.
    """
    patches = tokens[:, 1:]
    mean = patches.mean(dim=1, keepdim=True)
    _, inverse_std = _normalise(mean, network.fc_norm.eps)
    inputs = (patches - patches.mean(dim=-1, keepdim=True)) * inverse_std * network.fc_norm.weight
    added = (inputs @ network.head.weight.t()).transpose(1, 2)
    return network.head(network.fc_norm(mean.squeeze(1))), added


def densenet_saliency(network: ExplainableDenseNet, features: Tensor) -> tuple[Tensor, Tensor]:
    """DenseNet, target: the output F of the last dense block, before its final batch norm.

    logit = head(mean of ReLU(norm5(F))), so the gradient is head * norm5's scale where the ReLU is open.

    Args:
        network: in eval mode.
        features: (B, D, G, G), output of `features.denseblock4`.

    Returns:
        logits (B, F) and raw maps (B, F, G, G).
    """
    norm = network.features.norm5
    activated = functional.relu(norm(features))
    logits = network.classifier(activated.mean(dim=(2, 3)))
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    # mean over positions of d logit / d F: the share of open positions, times 1 / HW from the pooling
    open_share = (activated > 0).to(features.dtype).mean(dim=(2, 3)) / math.prod(features.shape[2:])
    channel_weights = network.classifier.weight * (scale * open_share).unsqueeze(1)
    return logits, functional.relu(torch.einsum("bfd,bdhw->bfhw", channel_weights, features))


def _attend(block: _Block, tokens: Tensor, num_queries: int | None) -> _Attention:
    attn = block.attn
    activations = block.norm1(tokens)
    q_weight, k_weight, v_weight = attn.qkv.weight.chunk(3)
    q_bias, k_bias, v_bias = attn.qkv.bias.chunk(3)
    query = _split_heads(functional.linear(activations[:, :num_queries], q_weight, q_bias), attn.num_heads) * attn.scale
    key = _split_heads(functional.linear(activations, k_weight, k_bias), attn.num_heads)
    value = _split_heads(functional.linear(activations, v_weight, v_bias), attn.num_heads)
    weights = (query @ key.transpose(-1, -2)).softmax(dim=-1)
    return _Attention(
        activations, query, key, value, weights, weights @ value, q_weight * attn.scale, k_weight, v_weight
    )


def _project(block: _Block, mixed: Tensor) -> Tensor:
    projected: Tensor = block.attn.proj(_join_heads(mixed))
    return projected


def _pooled_grad_mixed(block: _Block, grad_output: Tensor, hidden: Tensor, features: Tensor) -> Tensor:
    """Gradient at the attention's mixed values, (B, F, P, D), of a gradient (B, F, D) that all patches share.

    The backward of norm2 is s (g - mean(g) - x mean(g x)) with g = (grad_features fc1.W) * norm2.weight and x the
    normalised input. Its product with proj.W needs g only through g proj.W, mean(g) and mean(g x), each of which is
    grad_features times something that no finding changes.
    """
    fc1, fc2, norm, proj = block.mlp.fc1, block.mlp.fc2, block.norm2, block.attn.proj
    scaled = fc1.weight * norm.weight  # (4D, D)
    normalised, inverse_std = _normalise(hidden, norm.eps)
    width = hidden.shape[-1]
    grad_features = (grad_output @ fc2.weight).unsqueeze(2) * _gelu_derivative(features).unsqueeze(1)  # (B, F, P, 4D)
    through = grad_features @ (scaled @ proj.weight)  # (B, F, P, D)
    mean = grad_features @ (scaled.sum(dim=1, keepdim=True) / width)  # (B, F, P, 1)
    along = (normalised @ scaled.t()) / width  # (B, P, 4D)
    mean_along = (grad_features * along.unsqueeze(1)).sum(-1, keepdim=True)  # (B, F, P, 1)
    column_sums = proj.weight.sum(dim=0)  # (D,), a vector of ones through proj
    backward: Tensor = inverse_std.unsqueeze(1) * (
        through - mean * column_sums - mean_along * (normalised @ proj.weight).unsqueeze(1)
    )
    residual: Tensor = (grad_output @ proj.weight).unsqueeze(2)
    return backward + residual


def _split_heads(tokens: Tensor, num_heads: int) -> Tensor:
    """(B, N, D) to (B, H, N, E)."""
    heads: Tensor = tokens.unflatten(2, (num_heads, -1)).transpose(1, 2)
    return heads


def _join_heads(heads: Tensor) -> Tensor:
    """(B, H, N, E) to (B, N, D)."""
    return heads.transpose(1, 2).flatten(2)


def _normalise(inputs: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """LayerNorm's normalised input and inverse deviation (..., 1)."""
    centred = inputs - inputs.mean(dim=-1, keepdim=True)
    inverse_std = torch.rsqrt(centred.square().mean(dim=-1, keepdim=True) + eps)
    return centred * inverse_std, inverse_std


def _layer_norm_backward(norm: nn.LayerNorm, inputs: Tensor, gradient: Tensor) -> Tensor:
    """Gradient at a LayerNorm's input (B, 1, D) for gradients (B, F, D) or (F, D) of its output."""
    normalised, inverse_std = _normalise(inputs, norm.eps)
    scaled = gradient * norm.weight
    along = (scaled * normalised).mean(dim=-1, keepdim=True)
    return inverse_std * (scaled - scaled.mean(dim=-1, keepdim=True) - normalised * along)


def _gelu_derivative(inputs: Tensor) -> Tensor:
    """Derivative of the exact (erf) GELU."""
    density = torch.exp(-0.5 * inputs.square()) / math.sqrt(2 * math.pi)
    return 0.5 * (1 + torch.erf(inputs / math.sqrt(2))) + inputs * density
