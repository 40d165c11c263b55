"""What a training set says of itself, and which rows it has."""

import csv

import numpy as np
import pytest

from tests.training.tiny import write_manifest_csv
from training.data.packed import PackedImages
from training.finetune import LabelledImages
from training.material import Labelled, Sources, labelled
from training.recipes.types import FinetuneRecipe, Optim


def test_prevalence__counts_known_labels_alone():
    """And says a half where none is known."""
    nan = np.nan
    labels = np.array([[1, nan, nan], [0, 1, nan], [0, 1, nan], [0, 0, nan]], np.float32)
    images = PackedImages.joined([np.zeros((4, 8, 8), np.uint8)])

    prevalence = Labelled(("a", "b", "c"), (), LabelledImages(images, labels)).prevalence()

    assert np.allclose([0.25, 2 / 3, 0.5], prevalence)
    assert prevalence.dtype == np.float32


@pytest.mark.parametrize(("known", "count"), [("all", 14), ("any", 15), ("some", 1)])
def test_labelled__takes_rows_by_what_is_known_of_them(tmp_path, known, count):
    """One of 16 knows Pneumonia alone, one nothing."""
    table = write_manifest_csv(tmp_path, 32)
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    first, second = (row for row in [one for one in rows if one["split"] == "train"][:2])
    first |= {"nih_index": "", "label": "No Finding"}
    second["label"] = "Unlabelled"
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    recipe = FinetuneRecipe(
        name="tiny",
        encoder="slim18",
        optim=Optim(epochs=1, batch=1, base_lr=0, warmup_epochs=0),
        packed_size_px=40,
        known=known,
    )

    material = labelled(recipe, Sources({"manifest": table}, tmp_path / "cache"))

    assert count == len(material.rows)
    if known == "some":
        assert 13 == np.isnan(material.data.labels).sum()
