"""A linear head that is solved so as not to answer to changes that mean nothing."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from tqdm import tqdm

from models.nets.probe import ProbeClassifier
from training.data.crops import normalise
from training.data.dataset import Row
from training.data.draws import number_of
from training.data.jitter import jitter
from training.recipes.probe_types import ProbeRecipe

_BATCH = 32
_VIEWS_SEED = 0
RARE = 0.01  # prevalences are kept this far from 0 and 1


def solve_head(
    features: NDArray[np.float64], labels: NDArray[np.float32], *, ridge: float, invariance: float, spread: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (F, K) and biases (F,) of a ridge regression whose weights also pay for what changes do to features.

    With x the standardised features of the pictures as they are, S the covariance of features over the views of a
    picture, and y the labels, w = (X'X / N + ridge I + invariance S)^-1 X'y / N: the limit of training on ever more
    pictures, each moved by the root of `invariance` times such a change. Each finding is then brought to one spread,
    about the logit of its prevalence.

    Args:
        features: (N, V, K); view 0 is the picture as it is.
        labels: (N, F), 1 present, 0 absent, NaN unknown; every finding needs both kinds.
        ridge, invariance, spread: as in `ProbeRecipe`.
    """
    plain = features[:, 0]
    mean, std = plain.mean(axis=0), plain.std(axis=0) + 1e-6
    standard = (features - mean) / std
    penalty = ridge * np.eye(features.shape[2]) + invariance * covariance_of_changes(standard)
    weight, bias = np.empty((labels.shape[1], features.shape[2])), np.empty(labels.shape[1])
    for finding, column in enumerate(labels.T):
        known = ~np.isnan(column)
        inputs, present = standard[known, 0], column[known].astype(np.float64)
        centred = inputs - inputs.mean(axis=0)
        share = present.mean()
        product = centred.T @ centred / len(centred) + penalty
        solved = np.linalg.solve(product, centred.T @ (present - share) / len(centred))
        solved *= spread / max(float((centred @ solved).std()), 1e-12)
        weight[finding] = solved / std
        likely = np.clip(share, RARE, 1 - RARE)
        bias[finding] = np.log(likely / (1 - likely)) - solved @ (inputs.mean(axis=0)) - weight[finding] @ mean
    return weight, bias


def covariance_of_changes(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the views of a picture, (K, K), of features (N, V, K); nought where there is but one view."""
    changes = features - features.mean(axis=1, keepdims=True)
    degrees = len(changes) * max(features.shape[1] - 1, 1)
    return np.einsum("nvk,nvl->kl", changes, changes, optimize=True) / degrees  # type: ignore[no-any-return]


def features_of(
    probe: ProbeClassifier,
    rows: Sequence[Row],
    images: NDArray[np.uint8],
    recipe: ProbeRecipe,
    cache: tuple[Path, Path],
    fabric: Fabric,
) -> NDArray[np.float64]:
    """What the head sees of each picture and of its views: (N, 1 + views, K), kept in the cache for another head.

    Args:
        probe: on the device; its head does not matter.
        rows: N, for the name in the cache.
        images: (N, S, S) uint8.
        recipe: how many views; they follow from the pictures' places alone, so that folds share them.
        cache: folder, and the checkpoint that the trunk came from.
        fabric: launched; its precision is that of the products.
    """
    folder, start = cache
    digest = hashlib.sha256(start.read_bytes()).hexdigest()
    with fabric.autocast():
        is_rounded = torch.is_autocast_enabled(fabric.device.type)
    sizes = [recipe.image_size_px, recipe.given_px, recipe.views]
    seen = hashlib.sha256(images.tobytes()).hexdigest()
    key = [digest, seen, [str(row.file) for row in rows], *sizes, is_rounded]
    path = folder / f"features-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial.npy")
        np.save(partial, _features(probe, images, recipe, fabric))
        partial.rename(path)
    return np.load(path).astype(np.float64)  # type: ignore[no-any-return]


@torch.inference_mode()
def _features(
    probe: ProbeClassifier, images: NDArray[np.uint8], recipe: ProbeRecipe, fabric: Fabric
) -> NDArray[np.float32]:
    probe.eval()
    found = []
    for begin in tqdm(range(0, len(images), _BATCH), desc="features", unit="batch"):
        plain = torch.from_numpy(np.array(images[begin : begin + _BATCH])).to(fabric.device)
        levels = plain.unsqueeze(1).float()
        generator = torch.Generator().manual_seed(number_of(_VIEWS_SEED, begin))
        views = [levels, *(jitter(levels, generator) for _ in range(recipe.views))]
        with fabric.autocast():
            seen = [probe.features(normalise(view.round().byte().squeeze(1))) for view in views]
        found.append(torch.stack(seen, dim=1).float().cpu().numpy())
    return np.concatenate(found)
