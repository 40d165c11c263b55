"""A head solved over a frozen trunk, from the data to the classifier."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from models.nets.probe import ProbeClassifier
from training.data.dataset import Row
from training.head import require_both_kinds
from training.invariant_head import features_of, solve_head
from training.kernel_solution import Normals, solve_kernel_head
from training.material import Sources, labelled, normals, plain
from training.recipes.probe_types import ProbeRecipe
from training.run import Run
from training.trunks import build_probe


def probe(recipe: ProbeRecipe, sources: Sources, start: Path | None, run: Run, fabric: Fabric) -> ProbeClassifier:
    """Solve a head on what a trunk sees of the pictures and of their views.

    Args:
        recipe: trunk, head, what it is solved on.
        sources: where its data sets lie, and the cache that features are kept in.
        start: checkpoint that gives the trunk.
        run: folder that is told what is done.
        fabric: launched.

    Returns:
        The classifier on the CPU, in eval mode.

    Raises:
        DataError: the data are not what their reader was promised.
        CheckpointError: the start does not fit.
        ValueError: there is no start, or the pictures cannot give what the recipe asks for.
    """
    if start is None:
        raise ValueError(f"{recipe.name}: a probe needs a trunk, give it with --init")
    with fabric.rank_zero_first():  # packing
        material = labelled(recipe, sources)
    require_both_kinds(material.findings, material.data.labels, "a probe")
    normal = normals(recipe, sources)
    run.describe(recipe, [*material.rows, *normal], start)
    num_pictures = len(material.rows) + len(normal)
    network = build_probe(recipe, len(material.findings), start, num_pictures).to(fabric.device)

    def seen(rows: Sequence[Row], views: int) -> NDArray[np.float64]:
        images = plain(rows, replace(recipe, image_size_px=recipe.given_px), sources)
        return features_of(network, rows, images, replace(recipe, views=views), (sources.cache, start), fabric)

    everyone = labelled(replace(recipe, folds=0), sources).rows
    own = {row.file for row in material.rows}
    features = seen(everyone, recipe.views)[[row.file in own for row in everyone]]
    penalties = {"ridge": recipe.ridge, "invariance": recipe.invariance, "spread": recipe.spread}
    if recipe.kernel == "gaussian":
        others = seen(normal, 0)[:, 0] if normal else np.empty((0, features.shape[2]))
        state = solve_kernel_head(features, material.data.labels, Normals(others, recipe.normals_weight), **penalties)
    else:
        weight, bias = solve_head(features, material.data.labels, **penalties)
        state = {"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()}
    network.head.load_state_dict(state)
    return network.cpu().eval()
