"""What is missing is said by its name and origin, and nothing is missing that is there."""

from dataclasses import replace

import pytest

from training.material import Sources
from training.recipes import weights
from training.recipes.table1 import TABLE as TABLE1
from training.reproduction.at_hand import AtHand, chain
from training.reproduction.smoke import table_of


def missing(workshop, table, key):
    return workshop.at_hand.missing(table_of(table).row(key).recipe)


class TestMissing:
    def test_nothing_where_all_data_sets_are_there(self, workshop_on):
        """Of the row and of what it starts from."""
        assert () == missing(workshop_on("chestxray14", "chexpert"), "table1", "vit-mae")

    def test_every_data_set_that_is_not_there_once(self, workshop_on):
        """ViT-B pre-trains on three; fine-tuning needs one of them again."""
        assert ("data set chexpert", "data set mimic") == missing(workshop_on("chestxray14"), "table6", "vit-b")

    def test_published_weights_with_their_origin(self, workshop_on):
        """So that a reader knows what to fetch."""
        (reason,) = missing(workshop_on("chestxray14"), "table1", "vit-imagenet")

        assert "--weights vit-s-imagenet=FILE" in reason
        assert weights.DEIT_SMALL.origin in reason

    def test_given_weights_are_not_missing(self, workshop_on, tmp_path):
        """By the key that the recipe has."""
        (tmp_path / "deit.pth").write_bytes(b"weights")
        workshop = workshop_on("chestxray14", vit_s_imagenet=tmp_path / "deit.pth")

        assert () == missing(workshop, "table1", "vit-imagenet")

    def test_a_licence_that_nobody_waived(self, workshop_on):
        """Without it pre-training would quietly go on with ChestX-ray14 alone."""
        workshop = workshop_on("chestxray14", "chexpert", any_licence=False)
        (reason,) = missing(workshop, "table1", "vit-mae")

        assert "--any-licence" in reason
        assert "chexpert" in reason

    def test_a_broken_data_set_is_missing_with_the_reason(self, tmp_path):
        """The other rows go on."""
        (tmp_path / "manifest.csv").write_text("file\nx.png\n")
        at_hand = AtHand(Sources({"manifest": tmp_path}, tmp_path), {})
        recipe = replace(TABLE1.row("vit-random").recipe, data=("manifest",))

        assert ["label" in reason for reason in at_hand.missing(recipe)] == [True]


def test_weights_that_are_no_file_are_refused(tmp_path):
    """Before hours of training, not after them."""
    with pytest.raises(ValueError, match=r"--weights vit-s-imagenet=.*no such file"):
        AtHand(Sources({}, tmp_path), {"vit-s-imagenet": tmp_path / "nothing.pth"})


def test_chain_is_what_a_row_starts_from_and_itself():
    """In the order of training."""
    row = TABLE1.row("vit-mae").recipe

    assert ["mae_vit_s16", "vit_s16-mae-chestxray14"] == [recipe.name for recipe in chain(row)]
