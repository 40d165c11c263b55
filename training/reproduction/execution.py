"""Making a run: its material, its network, its training, its file."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from training.carry_out import carry_out
from training.recipes.table import Released, RowRecipe
from training.recipes.types import UnlabelledRecipe
from training.reproduction.workshop import Workshop
from training.run import Run


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
    start = None if isinstance(recipe, UnlabelledRecipe) else workshop.start(recipe)
    with _stopping_on_sigterm(workshop.open(recipe)) as run:
        is_done = carry_out(recipe, workshop.at_hand.sources, start, run, workshop.engine, workshop.fabric)
    return Made(is_done=is_done, is_new=is_done)


@contextmanager
def _stopping_on_sigterm(run: Run) -> Iterator[Run]:
    """A run that is asked saves and leaves; between runs SIGTERM ends the process, as it does anywhere."""
    before = signal.getsignal(signal.SIGTERM)
    run.stop_on_sigterm()
    try:
        yield run
    finally:
        signal.signal(signal.SIGTERM, before)
