"""A recipe from its data to its file: what every command that trains does, whatever it is called."""

from pathlib import Path

import torch
from lightning_fabric import Fabric

from models.nets.architecture import Network
from models.nets.checkpoint import initialise_encoder, load, save
from models.nets.slim_resnet import SlimClassifier
from models.nets.vit import VitClassifier
from training.description import NETWORK
from training.engine import Engine
from training.finetune import finetune
from training.head import refit_head, require_both_kinds
from training.linprobe import linprobe
from training.material import Sources, labelled, plain, unlabelled
from training.pretrain import pretrain
from training.probe import probe
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe, LinprobeRecipe, Recipe, UnlabelledRecipe
from training.run import Run
from training.trunks import build_classifier


def carry_out(recipe: Recipe, sources: Sources, start: Path | None, run: Run, engine: Engine, fabric: Fabric) -> bool:
    """Pack the data, build the network, train it, and save it in the run's folder.

    Args:
        recipe: of any kind.
        sources: where its data sets lie.
        start: checkpoint that gives the trunk, or, for pre-training, the whole network; None for random weights.
        run: folder; a checkpoint in it is continued, and a network without one is what is asked for.
        engine: how steps are executed.
        fabric: launched.

    Returns:
        False if the run was told to stop before its end.

    Raises:
        training.data.dataset.DataError: the data are not what their reader was promised.
        models.errors.CheckpointError: the start does not fit, or the run's own checkpoint is damaged.
        FloatingPointError: the loss is not finite.
        ValueError: the recipe asks for what its data or its network cannot give.
    """
    was_done = run.is_done and not isinstance(recipe, ProbeRecipe)  # which keeps no checkpoint, and is solved anew
    match recipe:
        case UnlabelledRecipe():
            network = _unlabelled(recipe, sources, start, run, engine, fabric)
        case FinetuneRecipe() | LinprobeRecipe():
            network = _labelled(recipe, sources, start, run, engine, fabric)
        case ProbeRecipe():
            network = probe(recipe, sources, start, run, fabric)
        case _:
            raise ValueError(f"{recipe.name}: {type(recipe).__name__} trains nothing")
    if network is None:
        return False
    if fabric.is_global_zero and not was_done:
        save(network, run.folder / NETWORK)
    fabric.barrier()  # the next run may start from this file
    return True


def _unlabelled(
    recipe: UnlabelledRecipe, sources: Sources, start: Path | None, run: Run, engine: Engine, fabric: Fabric
) -> Network | None:
    with fabric.rank_zero_first():  # packing
        material = unlabelled(recipe, sources)
    run.describe(recipe, material.rows, start)
    if run.is_done:
        return load(run.folder / NETWORK)
    return pretrain(recipe, material.images, run, engine, fabric, start)


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
        named = "refit_head (--set refit_head=None does without)"
        require_both_kinds(material.findings, material.data.labels, named)
    network = build_classifier(recipe, len(material.findings))
    if isinstance(recipe, FinetuneRecipe) and recipe.refit_head is not None and not isinstance(network, VitClassifier):
        raise ValueError(f"{recipe.name}: refit_head is for vision transformers")  # the recipe's mistake
    if start is not None:
        initialise_encoder(network, start)
    if isinstance(network, SlimClassifier):
        network.start_from_prevalence(torch.from_numpy(material.prevalence()))
    run.describe(recipe, material.rows, start)
    if run.is_done:
        return load(run.folder / NETWORK)
    if isinstance(recipe, FinetuneRecipe):
        trained = finetune(recipe, network, material.data, run, engine, fabric)
        if recipe.refit_head is not None and isinstance(trained, VitClassifier):
            images = plain(material.rows, recipe, sources)
            refit_head(trained, images, material.data.labels, inverse_penalty=recipe.refit_head)
        return trained
    if not isinstance(network, VitClassifier):
        raise ValueError(f"{recipe.name}: linear probing is for vision transformers")  # noqa: TRY004  # the recipe's mistake
    return linprobe(recipe, network, material.data, run, engine, fabric)
