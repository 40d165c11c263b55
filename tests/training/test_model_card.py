"""A card says of a bundle's images what is true of these, and nothing that is true of others alone."""

import re
from pathlib import Path

import pytest

from models.runtime.bundle import load_bundle
from training.card_sources import images_of
from training.metrics import AurocReport
from training.model_card import CardFacts, model_card

FOLDER = Path(__file__).resolve().parent.parent.parent / "models/bundles/default"
OPTIM = {"epochs": 1, "batch": 1, "layer_decay": 1.0}
PAINTER = {"name": "p", "encoder": "e", "decoder": "d", "mask_ratio": 0.5, "optim": OPTIM}
TUNED = {"name": "t", "encoder": "e", "drop_path": 0.0, "rand_augment": "none", "optim": OPTIM}


@pytest.fixture(name="manifest", scope="module")
def _manifest():
    return load_bundle(FOLDER).manifest


def parts(card):
    """What stands before the table of AUROC, and what stands after it."""
    before, after = card.split("## What it does\n")
    return before, after.split("## What to keep in mind\n")[1]


def card_of(manifest, pretraining, finetuning, fitted_on="3 images", error=0.0, by_chance=0.0):
    report = AurocReport((), None, None, None)
    facts = CardFacts(
        report,
        "4 images",
        pretraining,
        finetuning,
        fitted_on,
        is_fitted_here=False,
        calibration_error=error,
        by_chance=by_chance,
    )
    return model_card(manifest, facts)


def card_from(manifest, sources, **recipe):
    """The card of a bundle whose two runs saw images of some sources."""
    seen = {"num_images": len(sources), "sources": dict.fromkeys(sources, 1)}
    return card_of(manifest, seen | {"recipe": PAINTER}, [seen | {"recipe": TUNED | recipe}])


def test_the_committed_card_is_what_is_written_of_its_runs(manifest):
    """Word by word, but for the table of AUROC, which is measured."""
    committed = (FOLDER / "README.md").read_text()
    fitted_on, error, by_chance = (
        re.search(pattern, committed, re.DOTALL)[1]
        for pattern in (
            r"were fitted on (.*?); the AUROC",
            r"of the table: ([\d.]+);",
            r"alone would show ([\d.]+)\.\n",
        )
    )
    made = manifest.provenance

    card = card_of(manifest, made["pretraining"], made["finetuning"], fitted_on, float(error), float(by_chance))

    assert parts(committed) == parts(card)


def test_a_card_says_nothing_of_sources_that_a_bundle_has_not(manifest):
    """Somebody else's images are named, and nothing is made up of them."""
    card = card_from(manifest, ["clinic", "unnamed"])

    for word in (
        "covidrad",
        "Kermany",
        "kermany",
        "wingspan",
        "nih_",
        "NIH",
        "mined",
        "Pneumonia",
        "enriched",
        "sexes",
    ):
        assert word not in "".join(parts(card)), word
    assert "- `clinic`, `unnamed`: origin and terms are not recorded here." in card
    assert "- Probabilities and thresholds are for the prevalence of these images" in card


@pytest.mark.parametrize(
    ("sources", "said", "unsaid"),
    [
        (
            ["nih_cadlab"],
            ["`nih_*`: NIH", "are partly wrong.\n", "enriched"],
            ["covidrad", "one\n  collection", "sexes"],
        ),
        (["nih_muhammedtalo"], ["most Pneumonia images came from one\n  collection."], ["partly wrong.", "sexes"]),
        (
            ["covidrad_rsna_normal"],
            ["`covidrad_rsna_normal`: NIH", "of unknown patients"],
            ["nih_", "mined", "enriched"],
        ),
        (["kermany_224", "wingspan_ctr"], ["`kermany_*`: Kermany", "`wingspan_ctr`: MIT"], ["NIH", "not recorded"]),
        (["nih_muhammedtalo", "nih_reproduce-chexnet", "kermany_224"], ["sexes, ages and views differ"], ["unknown"]),
    ],
)
def test_a_card_says_of_each_source_what_is_known_of_it(manifest, sources, said, unsaid):
    """And of no other."""
    card = card_from(manifest, sources)

    assert [] == [words for words in said if words not in card]
    assert [] == [words for words in unsaid if words in card]


@pytest.mark.parametrize(
    ("recipe", "left_out"), [({"keep_boxes": False}, True), ({"keep_boxes": True}, False), ({}, False)]
)
def test_a_card_says_that_patients_with_a_box_were_kept_out_where_they_were(manifest, recipe, left_out):
    """A description that does not say may have had them; those of the held-out images are out in any case."""
    card = card_from(manifest, ["clinic"], **recipe)

    assert left_out == ("patients with a radiologist's box" in card)
    assert "- Patients of the held-out images" in card


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"nih_cadlab", "nih_muhammedtalo"}, "ChestX-ray14 images"),
        ({"nih_cadlab", "clinic"}, "images"),
        ({""}, "images"),
        (set(), "images"),
    ],
)
def test_held_out_images_are_called_by_what_all_of_them_are(sources, expected):
    """A source that nobody named is none."""
    assert expected == images_of(sources)
