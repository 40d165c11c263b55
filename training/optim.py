"""Parameter groups: what decays, and how fast each layer learns."""

from collections.abc import Iterable
from typing import Any

from timm.optim import param_groups_weight_decay
from torch import nn
from torch.optim import AdamW, Optimizer


def pretraining_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: one-dimensional parameters and biases without decay, the rest with it.

    Class and mask tokens decay, as in the reference, whose rule looks at the number of dimensions alone.

    Source: timm, as used by facebookresearch/mae.
    """
    groups: list[dict[str, Any]] = param_groups_weight_decay(network, weight_decay)
    return groups


def layer_id(name: str, depth: int) -> int:
    """Layer of a ViT parameter: 0 for the stem, k + 1 for block k, depth + 1 for everything above."""
    if name in ("cls_token", "pos_embed") or name.startswith("patch_embed"):
        return 0
    return int(name.split(".")[1]) + 1 if name.startswith("blocks.") else depth + 1


def finetuning_groups(network: nn.Module, depth: int, weight_decay: float, layer_decay: float) -> list[dict[str, Any]]:
    """One group for each layer and decay rule, with `lr_scale` = layer_decay ** (layers above it).

    Source: facebookresearch/mae, lr_decay.py (after BEiT).
    """
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        layer, plain = layer_id(name, depth), parameter.ndim == 1 or name in ("pos_embed", "cls_token")
        group = groups.setdefault(
            (layer, plain),
            {
                "params": [],
                "weight_decay": 0.0 if plain else weight_decay,
                "lr_scale": layer_decay ** (depth + 1 - layer),
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def adamw(groups: Iterable[dict[str, Any]], beta2: float) -> AdamW:
    """AdamW with betas (0.9, beta2), in its fused form; `set_learning_rate` gives it a rate before each step."""
    return AdamW(groups, lr=0.0, betas=(0.9, beta2), eps=1e-8, fused=True)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Give every group its rate: `learning_rate` times the group's `lr_scale` (1 where it has none)."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("lr_scale", 1.0)
