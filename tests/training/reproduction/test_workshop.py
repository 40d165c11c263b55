"""A run's folder is another one as soon as anything it is made from is."""

import shutil
from dataclasses import replace

from training.recipes.table1 import TABLE as TABLE1
from training.reproduction.at_hand import AtHand
from training.reproduction.conduct import picked, plan

ROW = TABLE1.row("vit-mae").recipe
IMAGENET = TABLE1.row("vit-imagenet").recipe


class TestFolder:
    def test_is_the_same_for_the_same(self, workshop_on):
        """Which is how a finished run is found again."""
        first, second = (workshop_on("chestxray14", "chexpert").folder(ROW) for _ in range(2))

        assert first == second
        assert first.name.startswith("vit_s16-mae-chestxray14-")

    def test_depends_on_what_the_run_starts_from(self, workshop_on):
        """A change of the pre-training is another fine-tuning."""
        workshop = workshop_on("chestxray14", "chexpert")
        other = replace(ROW, start=replace(ROW.start, recipe=replace(ROW.start.recipe, seed=1)))

        assert workshop.folder(ROW) != workshop.folder(other)

    def test_depends_on_the_lists_and_not_on_where_they_lie(self, workshop_on, roots, tmp_path):
        """A copy of the data is the same data; one label more is not."""
        workshop = workshop_on("chestxray14")
        recipe = TABLE1.row("vit-random").recipe
        copy = shutil.copytree(roots["chestxray14"], tmp_path / "copy")
        moved = replace(workshop, at_hand=AtHand(replace(workshop.at_hand.sources, roots={"chestxray14": copy}), {}))

        assert workshop.folder(recipe) == moved.folder(recipe)
        entry = copy / "Data_Entry_2017_v2020.csv"
        entry.write_text(entry.read_text() + "\n")
        changed = replace(workshop, at_hand=AtHand(replace(workshop.at_hand.sources, roots={"chestxray14": copy}), {}))
        assert workshop.folder(recipe) != changed.folder(recipe)

    def test_depends_on_the_bytes_of_published_weights(self, workshop_on, tmp_path):
        """Another file under the same key is another start."""
        names = []
        for content in (b"one", b"other"):
            (tmp_path / "weights.pth").write_bytes(content)
            names.append(workshop_on("chestxray14", vit_s_imagenet=tmp_path / "weights.pth").folder(IMAGENET).name)

        assert names[0] != names[1]


class TestPlan:
    def test_makes_a_shared_pre_training_once_and_first(self, workshop_on):
        """Three rows start from it, each on a data set of its own."""
        table = picked(TABLE1, ["vit-mae", "vit-mae-chexpert", "vit-mae-covidx"])
        runs = plan(table, workshop_on("chestxray14", "chexpert", "covidx"))

        assert ("vit-mae", "vit-mae-chexpert", "vit-mae-covidx") == runs[0].rows
        assert ["mae_vit_s16", "vit_s16-mae-chestxray14", "vit_s16-mae-chexpert", "vit_s16-mae-covidx"] == [
            run.recipe.name for run in runs
        ]

    def test_leaves_out_what_lacks_something(self, workshop_on):
        """Without CheXpert there is no pre-training, and random weights need none."""
        table = picked(TABLE1, ["vit-mae", "vit-random"])

        assert ["vit_s16-random-chestxray14"] == [run.recipe.name for run in plan(table, workshop_on("chestxray14"))]

    def test_says_what_is_finished(self, workshop_on):
        """By the file that a run leaves behind."""
        workshop = workshop_on("chestxray14")
        table = picked(TABLE1, ["vit-random"])
        network = workshop.network(table.rows[0].recipe)
        network.parent.mkdir(parents=True)
        network.write_bytes(b"")

        assert [True] == [run.is_finished for run in plan(table, workshop)]
