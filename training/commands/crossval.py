"""`crossval`: classifiers by patient-grouped cross-validation, their out-of-fold scores, and their ensemble."""

import argparse
from functools import partial

from training.commands.finetune import add_arguments
from training.commands.recipe import recipe_of
from training.commands.rows import sources_of
from training.commands.running import engine_of, open_run
from training.crossval import SUMMARY, Execution, crossval
from training.recipes.crossval_types import CrossvalRecipe

__all__ = ["add_arguments", "run"]  # what is asked for is what `finetune` asks for


def run(options: argparse.Namespace) -> bool:
    """Train what is missing, score all, and print the mean AUROCs."""
    recipe = recipe_of(options, "CROSSVAL", CrossvalRecipe)
    if options.resume is None and (options.out / SUMMARY).exists():
        raise ValueError(f"{options.out} is done: add --resume auto to score it again, or name another folder")
    engine = engine_of(options)
    fabric = engine.launch()
    execution = Execution(engine, fabric, partial(open_run, options=options, fabric=fabric))
    outcome = crossval(recipe, sources_of(options), options.init, options.out, execution)
    if outcome is None:
        return False
    print((options.out / SUMMARY).read_text(), end="")
    return True
