"""Opening a run's folder, a new one or one that goes on, and saying how it is executed."""

import argparse
from dataclasses import replace
from pathlib import Path

from lightning_fabric import Fabric

from training.carry_out import carry_out
from training.commands.numbers import count, positive
from training.commands.rows import sources_of
from training.description import NETWORK
from training.engine import Engine, default_engine
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import Recipe
from training.run import Run


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that trains asks for."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    add_engine_arguments(parser)


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """How training is executed."""
    usual = default_engine()
    parser.add_argument("--resume", choices=["auto"], help="go on from the run's checkpoint, if there is one")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="packed images")
    group = parser.add_argument_group("execution", "changes rounding alone, with two exceptions (docs/training.md)")
    group.add_argument("--device", choices=["cpu", "cuda"], default=usual.device)
    group.add_argument("--precision", choices=["32-true", "bf16-mixed"], help=f"default here: {usual.precision}")
    group.add_argument("--compile", action=argparse.BooleanOptionalAction, help="torch.compile; default on a GPU")
    group.add_argument("--micro-batch", type=positive, metavar="N", help="images at once; a step accumulates them")
    group.add_argument("--workers", type=count, metavar="N", help="processes that prepare batches")
    group.add_argument("--deterministic", action="store_true", help="deterministic kernels alone")
    group.add_argument("--resident", action=argparse.BooleanOptionalAction, help="keep all images on the device")
    group.add_argument("--checkpoint-minutes", type=float, default=10.0, metavar="M", help="between checkpoints")


def engine_of(options: argparse.Namespace) -> Engine:
    """What the command line says, and what suits the device where it says nothing."""
    usual = default_engine()
    base = usual if usual.device == options.device else Engine(options.device)
    said = {
        "precision": options.precision,
        "is_compiled": options.compile,
        "micro_batch": options.micro_batch,
        "workers": options.workers,
        "is_deterministic": options.deterministic or None,
        "is_resident": options.resident,
    }
    return replace(base, **{name: value for name, value in said.items() if value is not None})


def open_run(folder: Path, options: argparse.Namespace, fabric: Fabric) -> Run:
    """A run's folder, refused where it would be overwritten by mistake."""
    run = Run(
        folder,
        interval_s=60 * options.checkpoint_minutes,
        is_writer=fabric.is_global_zero,
        has_board=fabric.is_global_zero,
    )
    if options.resume is None and run.is_begun:
        raise ValueError(f"{folder} holds a run already: add --resume auto to go on, or name another folder")
    return run


def run_recipe(recipe: Recipe, start: Path | None, options: argparse.Namespace) -> bool:
    """Carry a recipe out in the folder that the command line names; False if it was told to stop before its end."""
    require_start(start)
    engine = engine_of(options)
    fabric = engine.launch()
    run = open_run(options.out, options, fabric)
    if not isinstance(recipe, ProbeRecipe):  # it has no steps to stop between and keeps nothing: SIGTERM ends it
        run.stop_on_sigterm()
    is_done = carry_out(recipe, sources_of(options), start, run, engine, fabric)
    if fabric.is_global_zero:
        made = f"{run.folder / NETWORK}: made of {run.description()['num_images']} images"
        print(made if is_done else f"{run.folder}: told to stop; --resume auto goes on")
    return is_done


def require_start(start: Path | None) -> None:
    """Refuse a checkpoint that is not there before any data are read."""
    if start is not None and not start.is_file():
        raise ValueError(f"--init {start}: there is no such file")
