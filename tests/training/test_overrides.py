"""`--set`: typed, by path, refused when misspelt."""

import pytest

from models.imaging.preprocess import Geometry
from training.overrides import override
from training.recipes.frozen_probe import CROSSVAL, PROBE
from training.recipes.vit_tiny16_cpu import FINETUNE, PRETRAIN


def test_a_nested_value_is_replaced_and_the_rest_kept():
    """The recipe itself is frozen and stays as it is."""
    changed = override(PRETRAIN, "optim.epochs=1")

    assert 1 == changed.optim.epochs
    assert PRETRAIN.optim.batch == changed.optim.batch
    assert 1 != PRETRAIN.optim.epochs


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("mask_ratio=0.75", "mask_ratio", 0.75),
        ("crop_scale=(0.2, 1.0)", "crop_scale", (0.2, 1.0)),
        ("seed=7", "seed", 7),
    ],
)
def test_values_are_python_literals(assignment, name, value):
    """Numbers and tuples as written in a recipe."""
    assert value == getattr(override(PRETRAIN, assignment), name)


def test_text_needs_no_quotes():
    """Shells eat them."""
    assert "avg" == override(FINETUNE, "head=avg").head


def test_a_whole_number_is_a_fine_rate():
    """`1` for a float field means 1.0."""
    assert 1.0 == override(FINETUNE, "drop_path=1").drop_path


def test_none_is_a_value_where_the_recipe_allows_it():
    """The head is then kept as it was trained."""
    assert override(FINETUNE, "refit_head=None").refit_head is None


def test_a_geometry_is_one_and_not_its_name():
    """Text would compare unequal to it, and another geometry be taken."""
    assert Geometry.CENTER_CROP is override(FINETUNE, "geometry=center-crop").geometry


@pytest.mark.parametrize("assignment", ["geometry=square", "known=complete", "normalisation=imagnet"])
def test_a_choice_that_there_is_not_is_refused_with_those_there_are(assignment):
    with pytest.raises(ValueError, match="it is one of"):
        override(FINETUNE, assignment)


@pytest.mark.parametrize(
    "assignment",
    ["drop_path=None", "optim.epoch=1", "optim.epochs", "optim.epochs=many", "optim.epochs=1.5", "seed.x=1"],
)
def test_what_does_not_fit_is_refused(assignment):
    """A typing error must not train for a day on defaults."""
    with pytest.raises(ValueError, match="--set"):
        override(PRETRAIN, assignment)


@pytest.mark.parametrize(
    "recipe", [PRETRAIN, FINETUNE, PROBE, CROSSVAL.member], ids=lambda recipe: type(recipe).__name__
)
@pytest.mark.parametrize("share", ["5", "0", "-0.5"])
def test_a_share_is_a_part_of_the_patients(recipe, share):
    """More than all there are would train on all of them, and `run.json` say otherwise."""
    with pytest.raises(ValueError, match=r"share=.* lies in \(0, 1\]"):
        override(recipe, f"share={share}")


@pytest.mark.parametrize(
    ("assignment", "wanted"),
    [
        ("optim.epochs=abc", "a whole number"),
        ("optim.epochs=1.5", "a whole number"),
        ("drop_path=high", "a number"),
        ("keep_boxes=yes", "True or False"),
        ("crop_scale=half", "values in brackets"),
        ("refit_head=much", "a number, or None"),
    ],
)
def test_what_is_wanted_is_said_in_words(assignment, wanted):
    with pytest.raises(ValueError, match=f"expected {wanted}"):
        override(FINETUNE, assignment)


@pytest.mark.parametrize("recipe", [PROBE, FINETUNE])
def test_a_head_is_solved_on_images_as_it_will_see_them(recipe):
    """Solving takes grey ones; scoring would take the others."""
    with pytest.raises(ValueError, match="normalisation grey, not imagenet"):
        override(recipe, "normalisation=imagenet")
