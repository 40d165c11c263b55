"""One row of each kind: its tiny twin trains, is scored and measured on synthetic data."""

import math
from dataclasses import replace

import pytest

from training.engine import Engine
from training.recipes.table1 import TABLE as TABLE1
from training.recipes.types import FromRun, LinprobeRecipe
from training.reproduction.smoke import every_row, kinds, laboratory, smoke
from training.reproduction.tiny import tiny

KINDS = kinds()
LIMIT_S = 15


@pytest.fixture(name="workshop", scope="module")
def _workshop(tmp_path_factory):
    """One for all kinds: later ones start from what earlier ones made."""
    return laboratory(tmp_path_factory.mktemp("smoke"), KINDS, Engine())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(4 * LIMIT_S)  # on a machine that is busy with other things, too
def test_a_recipe_of_each_kind_runs(kind, workshop):
    """From data to a number, within seconds."""
    smoked = smoke(kind, KINDS[kind], workshop)

    assert "" == smoked.failure
    assert math.isfinite(smoked.first_loss)
    assert math.isfinite(smoked.last_loss)


def test_a_broken_recipe_fails(workshop):
    """A twin that mends what is broken would be worth nothing."""
    row = TABLE1.row("vit-random")
    broken = replace(row, recipe=replace(row.recipe, rand_augment="rand-m6-nonsense1"))

    assert "" != smoke("broken", broken, workshop).failure


def test_a_tiny_twin_changes_size_and_length_alone():
    """Start, head, loss, normalisation, crops, augmentation, layer decay and selection are the recipe's."""
    recipe = TABLE1.row("vit-mae-paper").recipe
    twin = tiny(recipe)
    assert isinstance(twin.start, FromRun)
    sized = {"encoder", "image_size_px", "packed_size_px", "eval_every", "optim", "start"}
    kept = set(type(recipe).__dataclass_fields__) - sized

    assert {name: getattr(recipe, name) for name in kept} == {name: getattr(twin, name) for name in kept}
    length = {"epochs": 1, "batch": twin.optim.batch, "warmup_epochs": 0}
    assert replace(recipe.optim, **length) == twin.optim
    assert "imagenet" == twin.start.recipe.normalisation
    assert 1 == twin.eval_every


def test_every_row_is_smoked_variants_and_small_twins_too():
    """`make smoke` leaves nothing out, and no name hides another."""
    names = [name for name, _ in every_row()]

    assert sorted(set(names)) == sorted(names)
    assert {"table1:vit-mae-paper", "table1 small:vit-mae", "figure4:vit-s"} <= set(names)


def test_a_linear_probe_stays_one():
    """Its kind decides what is trained."""
    assert isinstance(tiny(KINDS["linear-probe"].recipe), LinprobeRecipe)
