"""A state dict as evidence: what its names and shapes say, and whether it is the one that a network wants."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.errors import CheckpointError


def shape_of(state: Mapping[str, Tensor], name: str, ndim: int) -> tuple[int, ...]:
    """Shape of a tensor that has to be there.

    Raises:
        CheckpointError: it is missing, or has other than `ndim` dimensions.
    """
    if name not in state:
        raise CheckpointError(f"{name} is missing")
    shape = tuple(state[name].shape)
    if len(shape) != ndim:
        raise CheckpointError(f"{name} has {len(shape)} dimensions, not {ndim}")
    return shape


def count_parts(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many parts a container has: `blocks.` counts the N of `blocks.N.…`."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def require_equal_names(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Every name of `own` and no other, with its shape, a number of its kind, and finite.

    Raises:
        CheckpointError: names what is missing, unexpected, of another shape, no plain numbers, or not finite.
    """
    both = sorted(own.keys() & tensors.keys())
    findings = {
        "missing": sorted(own.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - own.keys()),
        "of another shape": [
            f"{name} {tuple(tensors[name].shape)} for {tuple(own[name].shape)}"
            for name in both
            if tensors[name].shape != own[name].shape
        ],
        "no plain numbers": [name for name in both if not _is_plain(tensors[name], own[name])],
    }
    if not any(findings.values()):
        findings["not finite"] = [name for name in both if not tensors[name].isfinite().all()]
    if said := [f"{finding}: {', '.join(names)}" for finding, names in findings.items() if names]:
        raise CheckpointError("; ".join(said))


def _is_plain(tensor: Tensor, own: Tensor) -> bool:
    """Dense, in memory, not quantised, and floating where the network's is."""
    return (
        tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and tensor.is_floating_point() == own.is_floating_point()
    )
