"""What is said of a training tells which images flatter what came of it."""

import json
from dataclasses import replace

import pytest

from tests.training.tiny import write_manifest_csv
from training.data.manifest import read_folder
from training.description import DESCRIPTION, NETWORK, described, why_flattered
from training.recipes.vit_tiny16_cpu import FINETUNE


@pytest.fixture(name="rows")
def _rows(tmp_path):
    """Twelve, whatever their split."""
    return read_folder(write_manifest_csv(tmp_path)).rows


def written(folder, *trainings):
    """The folder of a bundle that was made by them."""
    (folder / "bundle.json").write_text(json.dumps({"provenance": {"finetuning": list(trainings)}}))
    return folder


class TestBundles:
    @pytest.mark.parametrize("place", [0, 1])
    def test_the_rows_of_any_of_its_trainings_flatter(self, rows, tmp_path, place):
        """A committee has several; one row less, and they are others."""
        trainings = [described(FINETUNE, rows[:3]), described(FINETUNE, rows[3:])]
        own, another = (rows[:3], rows[3:])[place], rows[1:5]

        assert "the network learned from these very images" == why_flattered(
            written(tmp_path, *trainings), own, "manifest", "val"
        )
        assert why_flattered(written(tmp_path, replaced(trainings[0])), another, "manifest", "val") is None

    def test_the_training_split_flatters_where_nothing_is_said_of_rows(self, rows, tmp_path):
        """As of the bundle that ships; another data set does not."""
        older = replaced(described(FINETUNE, rows))
        del older["rows_sha256"]
        bundle = written(tmp_path, older)

        assert "split train of a data set manifest" in why_flattered(bundle, rows, "manifest", "train")
        assert why_flattered(bundle, rows, "covidx", "train") is None
        assert why_flattered(bundle, rows, "manifest", "test") is None

    def test_one_that_says_nothing_is_not_flattered(self, rows, tmp_path):
        """Nobody knows."""
        assert why_flattered(written(tmp_path), rows, "manifest", "train") is None


def test_the_split_that_chose_the_epoch_flatters(rows, tmp_path):
    """It does not where the last epoch is kept, and other files beside a run are none of its networks."""
    for eval_every, is_told in ((1, True), (0, False)):
        recipe = replace(FINETUNE, average=None, eval_every=eval_every)
        (tmp_path / DESCRIPTION).write_text(json.dumps(described(recipe, rows[:3])))
        reason = why_flattered(tmp_path / NETWORK, rows[3:], "manifest", "val")

        assert is_told == (reason is not None and "epoch was chosen by split val" in reason)
        assert why_flattered(tmp_path / "other.safetensors", rows[3:], "manifest", "val") is None


def replaced(training):
    """The same of a recipe that keeps its last epoch."""
    return training | {"recipe": training["recipe"] | {"eval_every": 0}}
