"""A recipe from its data to its file: what every command that trains does, whatever it is called."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from models.nets.architecture import Network
from models.nets.checkpoint import initialise_encoder, save
from models.nets.slim_resnet import SlimClassifier
from models.nets.vit import VitClassifier
from training.data.dataset import Row
from training.engine import Engine
from training.finetune import finetune
from training.head import refit_head, require_both_kinds
from training.invariant_head import features_of, solve_head
from training.kernel_solution import Normals, solve_kernel_head
from training.linprobe import linprobe
from training.material import Sources, labelled, normals, plain, unlabelled
from training.pretrain import pretrain
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe, LinprobeRecipe, Recipe, UnlabelledRecipe
from training.run import NETWORK, Run
from training.trunks import build_classifier, build_probe


def carry_out(recipe: Recipe, sources: Sources, start: Path | None, run: Run, engine: Engine, fabric: Fabric) -> bool:
    """Pack the data, build the network, train it, and save it in the run's folder.

    Args:
        recipe: of any kind.
        sources: where its data sets lie.
        start: checkpoint that gives the trunk; None for random weights. Pre-training starts from none.
        run: folder; a checkpoint in it is continued.
        engine: how steps are executed.
        fabric: launched.

    Returns:
        False if the run was told to stop before its end.

    Raises:
        training.data.dataset.DataError: the data are not what their reader was promised.
        models.errors.CheckpointError: the start does not fit.
        FloatingPointError: the loss is not finite.
        ValueError: the recipe asks for what its data or its network cannot give.
    """
    match recipe:
        case UnlabelledRecipe():
            network = _unlabelled(recipe, sources, run, engine, fabric)
        case FinetuneRecipe() | LinprobeRecipe():
            network = _labelled(recipe, sources, start, run, engine, fabric)
        case ProbeRecipe():
            network = _probed(recipe, sources, start, run, fabric)
        case _:
            raise ValueError(f"{recipe.name}: {type(recipe).__name__} trains nothing")
    if network is None:
        return False
    if fabric.is_global_zero:
        save(network, run.folder / NETWORK)
    fabric.barrier()  # the next run may start from this file
    return True


def _unlabelled(recipe: UnlabelledRecipe, sources: Sources, run: Run, engine: Engine, fabric: Fabric) -> Network | None:
    with fabric.rank_zero_first():  # packing
        material = unlabelled(recipe, sources)
    run.describe(recipe, material.rows)
    return pretrain(recipe, material.images, run, engine, fabric)


def _labelled(
    recipe: FinetuneRecipe | LinprobeRecipe,
    sources: Sources,
    start: Path | None,
    run: Run,
    engine: Engine,
    fabric: Fabric,
) -> Network | None:
    with fabric.rank_zero_first():  # packing
        material = labelled(recipe, sources)
    if isinstance(recipe, FinetuneRecipe) and recipe.refit_head is not None:
        require_both_kinds(material.findings, material.data.labels)
    network = build_classifier(recipe, len(material.findings))
    if start is not None:
        initialise_encoder(network, start)
    if isinstance(network, SlimClassifier):
        network.start_from_prevalence(torch.from_numpy(material.prevalence()))
    run.describe(recipe, material.rows, start)
    if isinstance(recipe, FinetuneRecipe):
        trained = finetune(recipe, network, material.data, run, engine, fabric)
        if recipe.refit_head is not None and isinstance(trained, VitClassifier):
            images = plain(material.rows, recipe, sources)
            refit_head(trained, images, material.data.labels, inverse_penalty=recipe.refit_head)
        return trained
    if not isinstance(network, VitClassifier):
        raise ValueError(f"{recipe.name}: linear probing is for vision transformers")  # noqa: TRY004  # the recipe's mistake
    return linprobe(recipe, network, material.data, run, engine, fabric)


def _probed(recipe: ProbeRecipe, sources: Sources, start: Path | None, run: Run, fabric: Fabric) -> Network:
    if start is None:
        raise ValueError(f"{recipe.name}: a probe needs a trunk, give it with --init")
    with fabric.rank_zero_first():  # packing
        material = labelled(recipe, sources)
    require_both_kinds(material.findings, material.data.labels)
    normal = normals(recipe, sources)
    run.describe(recipe, [*material.rows, *normal], start)
    num_pictures = len(material.rows) + len(normal)
    probe = build_probe(recipe, len(material.findings), start, num_pictures).to(fabric.device)

    def seen(rows: Sequence[Row], views: int) -> NDArray[np.float64]:
        images = plain(rows, replace(recipe, image_size_px=recipe.given_px), sources)
        return features_of(probe, rows, images, replace(recipe, views=views), (sources.cache, start), fabric)

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
    probe.head.load_state_dict(state)
    return probe.cpu().eval()
