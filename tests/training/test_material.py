"""What a training set says of itself, and which rows it has."""

import csv

import numpy as np
import pytest

from tests.training.tiny import write_manifest_csv
from training.data.dataset import DataError
from training.data.packed import PackedImages
from training.data.splits import is_held_out
from training.finetune import LabelledImages
from training.material import Labelled, Sources, labelled, normals, unlabelled
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe, Optim, PretrainRecipe


def rewritten(table, change):
    """The table after `change` has had its rows of the training split."""
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    change([row for row in rows if row["split"] == "train"])
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "has_bbox"])
        writer.writeheader()
        writer.writerows(rows)
    return table


def recipe_of(**changed):
    """The least that asks for labels."""
    optim = Optim(epochs=1, batch=1, base_lr=0, warmup_epochs=0)
    return FinetuneRecipe(name="tiny", encoder="slim18", optim=optim, packed_size_px=40, **changed)


def test_prevalence__counts_known_labels_alone():
    """And says a half where none is known."""
    nan = np.nan
    labels = np.array([[1, nan, nan], [0, 1, nan], [0, 1, nan], [0, 0, nan]], np.float32)
    images = PackedImages.joined([np.zeros((4, 8, 8), np.uint8)])

    prevalence = Labelled(("a", "b", "c"), (), LabelledImages(images, labels)).prevalence()

    assert np.allclose([0.25, 2 / 3, 0.5], prevalence)
    assert prevalence.dtype == np.float32


@pytest.mark.parametrize(("known", "count"), [("all", 14), ("any", 15)])
def test_labelled__takes_rows_by_what_is_known_of_them(tmp_path, known, count):
    """One of 16 knows Pneumonia alone, one nothing."""

    def change(rows):
        first, second = rows[:2]
        first |= {"nih_index": "", "label": "No Finding"}
        second["label"] = "Unlabelled"

    table = rewritten(write_manifest_csv(tmp_path, 32), change)

    material = labelled(recipe_of(known=known), Sources({"manifest": table}, tmp_path / "cache"))

    assert count == len(material.rows)
    assert 13 * (known == "any") == np.isnan(material.data.labels).sum()


def test_labelled__leaves_out_a_patient_whose_box_is_on_an_image_without_labels(tmp_path):
    """That image is no training image, but the patient is measured on all the same."""

    def change(rows):
        boxed, other = rows[:2]
        boxed |= {"label": "Unlabelled", "nih_index": "", "has_bbox": "1", "patient_group": other["patient_group"]}

    table = rewritten(write_manifest_csv(tmp_path, 32), change)

    assert 14 == len(labelled(recipe_of(keep_boxes=False), Sources({"manifest": table}, tmp_path / "cache")).rows)


def test_labelled__says_which_licence_leaves_nothing(tmp_path):
    """Not that labels are missing."""
    table = rewritten(write_manifest_csv(tmp_path), lambda rows: [row.update(weights_ok="no") for row in rows])

    with pytest.raises(DataError, match=r"the terms of phantom do not .*--any-licence"):
        labelled(recipe_of(), Sources({"manifest": table}, tmp_path / "cache"))


@pytest.mark.parametrize(("any_licence", "count"), [(False, 16), (True, 18)])
def test_labelled__chooses_the_epoch_by_images_that_may_be_used(tmp_path, any_licence, count):
    """Which weights are shipped follows from the validation images, too."""

    def change(rows):
        for row in rows[:2]:
            row |= {"split": "val", "weights_ok": "no"}

    table = rewritten(write_manifest_csv(tmp_path, 32), change)
    sources = Sources({"manifest": table}, tmp_path / "cache", any_licence=any_licence)

    held = labelled(recipe_of(eval_every=1, image_size_px=32), sources).data.held

    assert held is not None
    assert count == len(held.images) == len(held.labels)


def test_unlabelled__takes_a_share_that_has_nothing_to_do_with_who_is_held_out(tmp_path):
    """Readers hold out those with the lowest hash; a share by the same hash would begin with patients who are gone."""
    table = write_manifest_csv(tmp_path, 64)

    def change(rows):
        for row in rows:
            row["split"] = "val" if is_held_out(row["patient_group"], 0.5) else "train"

    recipe = PretrainRecipe(
        name="tiny",
        encoder="vit_tiny",
        decoder="128x2h4",
        optim=Optim(epochs=1, batch=1, base_lr=0, warmup_epochs=0),
        packed_size_px=40,
        share=0.5,
    )
    rows = unlabelled(recipe, Sources({"manifest": rewritten(table, change)}, tmp_path / "cache")).rows

    assert 0 < len(rows) < 12  # of 12 who are left; by the same hash, nobody


def read_as_normal(folder, weights_ok="yes"):
    """Sixteen phantoms of the training split, of which four come without labels from a source of normals."""

    def change(rows):
        for row in rows[:4]:
            row |= {"nih_index": "", "label": "Unlabelled", "source": "healthy", "weights_ok": weights_ok}

    table = rewritten(write_manifest_csv(folder, 32), change)
    return Sources({"manifest": table}, folder / "cache")


def probe_with(*sources):
    return ProbeRecipe(name="tiny", encoder="vit_tiny", kernel="gaussian", normals=sources)


def test_normals__are_the_rows_of_their_sources(tmp_path):
    """None where the recipe names none; they are no labelled rows."""
    sources = read_as_normal(tmp_path)

    assert ["healthy"] * 4 == [row.source for row in normals(probe_with("healthy"), sources)]
    assert [] == normals(probe_with(), sources)
    assert 12 == len(labelled(probe_with("healthy"), sources).rows)


@pytest.mark.parametrize(("named", "weights_ok"), [("elsewhere", "yes"), ("phantom", "yes"), ("healthy", "no")])
def test_normals__are_there_may_be_used_and_have_no_labels(tmp_path, named, weights_ok):
    """A misspelt source would leave them out without a word; a labelled one would count twice."""
    with pytest.raises(DataError, match=f"{named} has no image that may be used, or labels of its own"):
        normals(probe_with(named), read_as_normal(tmp_path, weights_ok))


def test_labelled__chooses_no_epoch_by_images_that_it_is_trained_on(tmp_path):
    """Without splits they are the same; the last epoch may be kept all the same."""
    table = write_manifest_csv(tmp_path)
    table.write_text(table.read_text().replace(",train,", ",,").replace(",val,", ",,"))
    sources = Sources({"manifest": table}, tmp_path / "cache")

    with pytest.raises(DataError, match="unsplit"):
        labelled(recipe_of(eval_every=1, image_size_px=32), sources)

    assert 12 == len(labelled(recipe_of(), sources).rows)
