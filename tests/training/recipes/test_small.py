"""Small twins: on a manifest, small enough for a CPU, and still about what their table is about."""

import pytest

from models.nets.masking import keep_count
from training.recipes.small import small_table
from training.recipes.types import FinetuneRecipe, FromFile, FromRun, PretrainRecipe, UnlabelledRecipe
from training.reproduction.at_hand import chain
from training.reproduction.smoke import TABLES, table_of

TWINS = {name: small_table(table_of(name)) for name in TABLES}
ROWS = [(name, row) for name, table in TWINS.items() for row in (*table.rows, *table.variants)]


def test_table_1_compares_random_weights_with_pre_training():
    """Random with and without layer decay, and the masked autoencoder, for equal epochs on equal images."""
    rows = TWINS["table1"].rows
    finetunings = [row.recipe for row in rows]

    assert ["vit-random", "vit-mae", "vit-random-no-decay"] == [row.key for row in rows]
    assert 1 == len({(recipe.optim.epochs, recipe.data, recipe.image_size_px) for recipe in finetunings})


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{table}:{row.key}" for table, row in ROWS])
def test_every_small_row_is_on_a_manifest_and_small(table, row):
    """And chooses no epoch: the images that judge it must not have chosen it."""
    for recipe in chain(row.recipe):
        assert ("manifest",) == recipe.data
        assert recipe.image_size_px <= 128
        assert 0 == getattr(recipe, "eval_every", 0)
        if isinstance(recipe, PretrainRecipe):
            assert 1 <= keep_count((recipe.image_size_px // 16) ** 2, recipe.mask_ratio)


@pytest.mark.parametrize("name", ["table4", "table5"])
def test_what_a_manifest_does_not_know_has_no_twin(name):
    """CheXpert's findings and COVIDx's classes."""
    assert () == TWINS[name].rows


@pytest.mark.parametrize(
    ("table", "path", "num_values"),
    [
        ("table2", "start.recipe.crop_scale", 3),
        ("table3", "optim.layer_decay", 3),
        ("table3", "rand_augment", 3),
        ("table3", "drop_path", 3),
        ("figure1", "start.recipe.mask_ratio", 5),
        ("figure1", "start.recipe.share", 4),
    ],
)
def test_a_twin_keeps_what_its_table_varies(table, path, num_values):
    """Otherwise all twins of a table would be one."""
    *parents, name = path.split(".")
    values = set()
    for row in TWINS[table].rows:
        owner: object = row.recipe
        for parent in parents:
            owner = getattr(owner, parent, None)
        if hasattr(owner, name):
            values.add(getattr(owner, name))

    assert num_values <= len(values)


def test_published_weights_keep_their_network():
    """Weights of a ViT-S fit no ViT-Ti."""
    for row in TWINS["table1"].variants:
        if isinstance(row.recipe, FinetuneRecipe) and isinstance(row.recipe.start, FromFile):
            assert table_of("table1").row(row.key).recipe.encoder == row.recipe.encoder


def test_figures_are_drawn_by_the_network_of_table_1():
    """On one manifest they are the same run, so that no CPU trains it three times."""
    start = TWINS["table1"].row("vit-mae").recipe.start
    assert isinstance(start, FromRun)

    for name in ("figure2", "figure3"):
        recipe = TWINS[name].row("vit").recipe
        assert isinstance(recipe, UnlabelledRecipe)
        assert start.recipe == recipe
