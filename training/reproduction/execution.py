"""Making a run: its material, its network, its training, its file."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from models.nets.architecture import Network
from models.nets.checkpoint import initialise_encoder, save
from models.nets.vit import VitClassifier
from training.finetune import finetune
from training.head import refit_head, require_both_kinds
from training.linprobe import linprobe
from training.material import labelled, plain, unlabelled
from training.pretrain import pretrain
from training.recipes.table import Released, RowRecipe
from training.recipes.types import FinetuneRecipe, LinprobeRecipe, UnlabelledRecipe
from training.reproduction.workshop import Workshop
from training.run import Run
from training.trunks import build_classifier


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a run.

    Attributes:
        is_done: its network is there; False where it was told to stop.
        is_new: this call finished it; False where an earlier one had.
    """

    is_done: bool
    is_new: bool


def make(recipe: RowRecipe, workshop: Workshop) -> Made:
    """Train a run, going on where it was left, or find it finished.

    Raises:
        DataError: its data are not what its reader was promised.
        models.errors.CheckpointError: its start does not fit.
        FloatingPointError: its loss is not finite.
    """
    if isinstance(recipe, Released) or workshop.network(recipe).exists():
        return Made(is_done=True, is_new=False)
    with _stopping_on_sigterm(workshop.open(recipe)) as run:
        trained = (
            _unlabelled(recipe, workshop, run)
            if isinstance(recipe, UnlabelledRecipe)
            else _labelled(recipe, workshop, run)
        )
    if trained is None:
        return Made(is_done=False, is_new=False)
    if workshop.fabric.is_global_zero:
        save(trained, workshop.network(recipe))
    workshop.fabric.barrier()  # the next run may start from this file
    return Made(is_done=True, is_new=True)


@contextmanager
def _stopping_on_sigterm(run: Run) -> Iterator[Run]:
    """A run that is asked saves and leaves; between runs SIGTERM ends the process, as it does anywhere."""
    before = signal.getsignal(signal.SIGTERM)
    run.stop_on_sigterm()
    try:
        yield run
    finally:
        signal.signal(signal.SIGTERM, before)


def _unlabelled(recipe: UnlabelledRecipe, workshop: Workshop, run: Run) -> Network | None:
    with workshop.fabric.rank_zero_first():  # packing
        material = unlabelled(recipe, workshop.at_hand.sources)
    run.describe(recipe, material.rows)
    return pretrain(recipe, material.images, run, workshop.engine, workshop.fabric)


def _labelled(recipe: FinetuneRecipe | LinprobeRecipe, workshop: Workshop, run: Run) -> Network | None:
    sources, fabric = workshop.at_hand.sources, workshop.fabric
    with fabric.rank_zero_first():  # packing
        material = labelled(recipe, sources)
    if isinstance(recipe, FinetuneRecipe) and recipe.refit_head is not None:
        require_both_kinds(material.findings, material.data.labels)
    network = build_classifier(recipe, len(material.findings))
    if (start := workshop.start(recipe)) is not None:
        initialise_encoder(network, start)
    run.describe(recipe, material.rows)
    if isinstance(recipe, FinetuneRecipe):
        trained = finetune(recipe, network, material.data, run, workshop.engine, fabric)
        if recipe.refit_head is not None and isinstance(trained, VitClassifier):
            images = plain(material.rows, recipe, sources)
            refit_head(trained, images, material.data.labels, inverse_penalty=recipe.refit_head)
        return trained
    if not isinstance(network, VitClassifier):
        raise ValueError(f"{recipe.name}: linear probing is for vision transformers")  # noqa: TRY004  # the recipe's mistake
    return linprobe(recipe, network, material.data, run, workshop.engine, fabric)
