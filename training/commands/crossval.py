"""`crossval`: classifiers by patient-grouped cross-validation, their out-of-fold scores, and their ensemble."""

import argparse
from pathlib import Path

from training.commands.finetune import add_arguments
from training.commands.recipe import recipe_of
from training.commands.rows import sources_of
from training.commands.running import engine_of, open_run, require_start
from training.crossval import Execution, crossval
from training.out_of_fold import SUMMARY
from training.recipes.crossval_types import CrossvalRecipe
from training.run import Run

__all__ = ["add_arguments", "run"]  # what is asked for is what `finetune` asks for


def run(options: argparse.Namespace) -> bool:
    """Train what is missing, score all, and print the mean AUROCs."""
    recipe = recipe_of(options, "CROSSVAL", CrossvalRecipe)
    if options.resume is None and (options.out / SUMMARY).exists():
        raise ValueError(f"{options.out} is done: add --resume auto to score it again, or name another folder")
    require_start(options.init)
    engine = engine_of(options)
    fabric = engine.launch()

    def open_member(folder: Path) -> Run:
        member = open_run(folder, options, fabric)
        member.stop_on_sigterm()
        return member

    execution = Execution(engine, fabric, open_member)
    outcome = crossval(recipe, sources_of(options), options.init, options.out, execution)
    if outcome is None:
        if fabric.is_global_zero:
            print(f"{options.out}: told to stop; --resume auto goes on")
        return False
    if fabric.is_global_zero:
        print((options.out / SUMMARY).read_text(), end="")
    return True
