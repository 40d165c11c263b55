"""A kernel head, solved: ridge regression by likeness to pictures with labels, and to pictures read as normal."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.invariant_head import RARE, covariance_of_changes

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Normals:
    """Pictures that somebody read as normal, of another origin than those with labels.

    Attributes:
        features: (M, K).
        weight: of one of them, where a picture with labels counts 1.
    """

    features: Array
    weight: float


def solve_kernel_head(
    features: Array, labels: NDArray[np.float32], normals: Normals, *, ridge: float, invariance: float, spread: float
) -> Mapping[str, Tensor]:
    """State of a `models.nets.kernel_head.KernelHead`.

    Features are standardised and measured by (I + invariance S)^-1, S being the covariance over the views of a
    picture: what changes that mean nothing move counts less. The Gaussian's variance is the median squared distance
    between pictures with labels. On it stands kernel ridge regression, of each finding by itself. Normals are moved
    by what parts their mean from that of the pictures without any finding, so that it is not their origin which is
    learned. Each finding is then brought to one spread, about the logit of its prevalence, by what it says of each
    picture when that one is left out.

    Args:
        features: (N, V, K); view 0 is the picture as it is.
        labels: (N, F), 1 present, 0 absent, NaN unknown; every finding needs both kinds.
        normals: M of them, or none.
        ridge: added to the likeness of a picture to itself, which is 1.
        invariance, spread: as in `ProbeRecipe`.

    Raises:
        ValueError: there are normals, but among the pictures with labels none without a finding.

    Source: Saunders et al. 1998, Ridge Regression Learning Algorithm in Dual Variables.
    """
    plain = features[:, 0]
    centre, deviation = plain.mean(axis=0), plain.std(axis=0) + 1e-6
    variances, axes = np.linalg.eigh(covariance_of_changes((features - centre) / deviation))
    metric = axes / np.sqrt(1 + invariance * variances.clip(min=0)) / deviation[:, None]
    metric /= np.sqrt(2 * _median_square((plain - centre) @ metric))
    supports = (np.concatenate([plain, _moved(normals.features, plain, labels)]) - centre) @ metric
    likeness = np.exp(-_squares(supports))
    num, num_normals = len(plain), len(normals.features)
    penalties = np.concatenate([np.full(num, ridge), np.full(num_normals, ridge / normals.weight)])
    weight, bias = np.zeros((labels.shape[1], len(supports))), np.empty(labels.shape[1])
    inverses: dict[bytes, Array] = {}
    for finding, column in enumerate(labels.T):
        known = np.concatenate([~np.isnan(column), np.ones(num_normals, bool)])
        if known.tobytes() not in inverses:
            inverses[known.tobytes()] = np.linalg.inv(likeness[np.ix_(known, known)] + np.diag(penalties[known]))
        inverse = inverses[known.tobytes()]
        present = column[known[:num]].astype(np.float64)
        share = present.mean()
        targets = np.concatenate([present, np.zeros(num_normals)]) - share
        solved = inverse @ targets
        left_out = (targets - solved / np.diag(inverse))[: len(present)]
        scale = spread / max(float(left_out.std()), 1e-12)
        weight[finding, known] = solved * scale
        likely = np.clip(share, RARE, 1 - RARE)
        bias[finding] = np.log(likely / (1 - likely)) - left_out.mean() * scale
    state = {"centre": centre, "metric": metric, "supports": supports, "weight": weight, "bias": bias}
    return {name: torch.from_numpy(value).float() for name, value in state.items()}


def _moved(normals: Array, plain: Array, labels: NDArray[np.float32]) -> Array:
    if not len(normals):
        return normals
    is_free = (labels == 0).all(axis=1)
    if not is_free.any():
        raise ValueError("normals are placed by pictures without a finding, and there are none")
    moved: Array = normals - normals.mean(axis=0) + plain[is_free].mean(axis=0)
    return moved


def _median_square(placed: Array) -> float:
    """Between two pictures that are not the same."""
    above = np.triu_indices(len(placed), 1)
    return max(float(np.median(_squares(placed)[above])), 1e-12)


def _squares(placed: Array) -> Array:
    """Squared distances, (N, N)."""
    lengths = (placed**2).sum(axis=1)
    return (lengths[:, None] + lengths - 2 * placed @ placed.T).clip(min=0)  # type: ignore[no-any-return]
