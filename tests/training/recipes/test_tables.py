"""Every row of every table: it has a name, a recipe that fits together, and the number that was printed."""

import argparse
from dataclasses import fields, is_dataclass

import pytest

from models.nets.mae import DECODERS
from models.nets.vit import VIT_SHAPES
from training.commands.recipe import recipe_of
from training.data.catalogue import NAMES
from training.recipes.table import PaperRow, Released, Table
from training.recipes.types import FinetuneRecipe, FromRun, LinprobeRecipe, PretrainRecipe, Recipe, UnlabelledRecipe
from training.reproduction.at_hand import chain
from training.reproduction.metrics import COUNTS, METRICS
from training.reproduction.smoke import TABLES, table_of
from training.trunks import CNN_SHAPES

ROWS = [(name, row) for name in TABLES for row in (*table_of(name).rows, *table_of(name).variants)]
PERCENT = set(METRICS)


def printed(table: Table) -> dict[str, list[float | None]]:
    """Numbers by row."""
    return {row.key: [number.paper for number in row.numbers] for row in table.rows}


def kind_of(row: PaperRow) -> tuple[str, type]:
    """What `recipe_of` is asked for, to get at a row's own recipe."""
    recipe = row.recipe
    if isinstance(recipe, UnlabelledRecipe):
        return "PRETRAIN", UnlabelledRecipe
    return ("LINPROBE", LinprobeRecipe) if isinstance(recipe, LinprobeRecipe) else ("FINETUNE", FinetuneRecipe)


@pytest.mark.parametrize("name", TABLES)
class TestTable:
    def test_has_unique_keys_and_is_named_for_its_module(self, name):
        """A key names one row, variants included."""
        table = table_of(name)
        keys = [row.key for row in (*table.rows, *table.variants)]

        assert name == table.name
        assert sorted(set(keys)) == sorted(keys)

    def test_contrasts_and_small_rows_are_rows(self, name):
        """What a table points at exists."""
        table = table_of(name)
        pointed_at = {key for one in table.contrasts for key in (one.first, one.second)} | set(table.small_keys)

        assert all(table.row(key) for key in pointed_at)

    def test_what_it_ablates_are_values_of_its_recipes(self, name):
        """A path that no recipe has would keep nothing."""
        table = table_of(name)
        recipes = [row.recipe for row in table.rows]

        assert [] == [path for path in table.ablates if not any(has(recipe, path) for recipe in recipes)]


def has(recipe: object, path: str) -> bool:
    """Whether a recipe has a value of this path."""
    for name in path.split("."):
        if not is_dataclass(recipe) or name not in {field.name for field in fields(recipe)}:
            return False
        recipe = getattr(recipe, name)
    return True


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{table}:{row.key}" for table, row in ROWS])
class TestRow:
    def test_is_reached_by_name(self, table, row):
        """`python -m training finetune table1:vit-mae`, and the pre-training that it starts from alike."""
        if isinstance(row.recipe, Released):
            assert row.recipe.file.origin
            return
        name, kind = kind_of(row)
        options = argparse.Namespace(recipe=f"{table}:{row.key}", set=[])

        assert row.recipe == recipe_of(options, name, kind)
        start = getattr(row.recipe, "start", None)
        if isinstance(start, FromRun):
            assert start.recipe == recipe_of(options, "PRETRAIN", UnlabelledRecipe)

    def test_names_what_exists(self, table, row):
        """Data sets, encoders, decoders and metrics."""
        for recipe in chain(row.recipe):
            assert set(recipe.data) <= set(NAMES)
            encoder = getattr(recipe, "encoder", "densenet121")
            assert encoder in {*VIT_SHAPES, *CNN_SHAPES}
            assert not isinstance(recipe, PretrainRecipe) or recipe.decoder in DECODERS
        assert {number.metric.partition(":")[0] for number in row.numbers} <= {*METRICS, *COUNTS}

    def test_its_shares_are_percentages(self, table, row):
        """A transcription that lost its decimal point shows."""
        shares = [number.paper for number in row.numbers if number.metric.partition(":")[0] in PERCENT]

        assert all(share is None or 0 <= share <= 100 for share in shares)


def test_a_name_belongs_to_one_recipe():
    """Folders and progress bars tell runs apart by name."""
    by_name: dict[str, set[object]] = {}
    for _, row in ROWS:
        for recipe in chain(row.recipe):
            by_name.setdefault(recipe.name, set()).add(recipe)

    assert [] == [name for name, recipes in by_name.items() if len(recipes) > 1]


class TestPrinted:
    """Numbers typed a second time from the paper."""

    def test_table_1(self):
        """All 33, by data set, in the paper's order of rows."""
        numbers = printed(table_of("table1"))
        columns = {
            "": [80.4, 82.2, 80.9, 81.0, 81.5, 80.6, 81.2, 67.9, 79.6, 78.6, 82.3],
            "-chexpert": [87.8, 89.4, 87.9, 87.8, 88.0, 88.7, 88.7, 77.9, 88.1, 88.3, 89.2],
            "-covidx": [93.0, 94.4, 95.5, 95.0, 95.8, 94.0, 96.5, 87.3, 94.3, 88.8, 95.2],
        }
        keys = [key for key in numbers if not key.endswith(("-chexpert", "-covidx"))]

        for suffix, column in columns.items():
            assert column == [numbers[f"{key}{suffix}"][0] for key in keys]

    def test_tables_2_and_3(self):
        """Crop scale; layer decay, magnitude, DropPath."""
        assert [[65.9], [69.8], [70.8]] == list(printed(table_of("table2")).values())
        expected = [82.1, 82.3, 82.0, 82.0, 82.2, 82.1, 81.5, 82.3, 82.1]
        assert [[number] for number in expected] == list(printed(table_of("table3")).values())

    @pytest.mark.parametrize("key", ["vit-s", "vit-b"])
    def test_table_4_prints_the_mean_of_five_findings(self, key):
        """Within rounding; the two DenseNets' means are the paper's own affair."""
        *findings, mean = printed(table_of("table4"))[key]

        assert mean == pytest.approx(sum(findings) / 5, abs=0.05)

    def test_table_6(self):
        """Ours and the sixteen cited."""
        table = table_of("table6")
        cited = [74.5, 76.1, 75.5, 80.3, 80.7, 81.6, 78.8, 79.4, 80.6, 81.2, 81.7, 82.1, 82.2, 81.7, 81.8, 81.0]

        assert [[80.6], [81.2], [82.3], [83.0]] == list(printed(table).values())
        assert cited == [one.numbers[0].paper for one in table.cited]

    def test_table_7(self):
        """Nodule, Mass, Atelectasis, Pneumothorax, Infiltration, Effusion, Pneumonia, Cardiomegaly, all."""
        ap25 = {
            "cnn-imagenet": [0.0, 25.4, 10.1, 11.6, 32.9, 24.5, 32.0, 89.6, 31.0],
            "vit-s": [9.2, 27.0, 31.5, 4.7, 11.4, 8.8, 27.8, 16.3, 18.0],
        }
        ap50 = {
            "cnn-imagenet": [0.0, 1.6, 2.0, 2.3, 12.7, 2.9, 6.2, 53.3, 12.3],
            "vit-s": [3.9, 11.1, 8.1, 0.0, 1.3, 1.0, 9.3, 3.0, 4.7],
        }
        numbers = printed(table_of("table7"))

        assert ap25 == {key: row[::2] for key, row in numbers.items()}
        assert ap50 == {key: row[1::2] for key, row in numbers.items()}


class TestUnknownName:
    @pytest.mark.parametrize(
        ("recipe", "name", "said"),
        [
            ("nosuch", "PRETRAIN", "no 'nosuch' for pretrain; there are .*mae_vit_s16.*, and rows of .*table1"),
            ("nosuch", "PRETRAIN", "^(?!.*linprobe_vit_s16)"),  # it imports one
            ("frozen_probe", "PRETRAIN", "no 'frozen_probe' for pretrain: it is for probe and crossval; there are "),
            ("nosuch", "PROBE", "no 'nosuch' for probe; there are frozen_probe$"),
            ("table1:nosuch", "FINETUNE", "table1 has no row 'nosuch'; there are .*vit-mae"),
            ("table1", "FINETUNE", "table1 is a table: name one of its rows, as table1:"),
        ],
    )
    def test_is_answered_with_those_there_are(self, recipe, name, said):
        """And with the command of a recipe that is another's."""
        with pytest.raises(ValueError, match=said):
            recipe_of(argparse.Namespace(recipe=recipe, set=[]), name, Recipe)
