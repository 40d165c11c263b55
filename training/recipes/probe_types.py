"""What a recipe of a solved head says."""

from dataclasses import dataclass
from typing import Literal, get_args

from training.recipes.types import Known, Optim, Recipe, require_fold

Kernel = Literal["linear", "gaussian"]

_NO_STEPS = Optim(epochs=0, batch=1, base_lr=0.0, warmup_epochs=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRecipe(Recipe):
    """A head over mean and spread of a frozen trunk's patches, solved by ridge regression in place of steps.

    Attributes:
        optim: takes no step.
        encoder: a name of `VIT_SHAPES`.
        given_px: rows and columns of the pictures that it is given, which it brings to `image_size_px` itself.
        kernel: `linear` weighs features (`training.invariant_head`); `gaussian` compares a picture with those that the
            head was solved on (`training.kernel_solution`).
        ridge: penalty on squared weights, features standardised; of a Gaussian, what a picture's likeness to itself, 1,
            is raised by.
        invariance: penalty on what weights make of changes that mean nothing; 0 asks for no such changes.
        views: how often each picture is changed so (`training.data.jitter`).
        spread: standard deviation of the logits over the images the head is solved on (a Gaussian's: each of them left
            out in turn): how loud it is on a committee.
        normals: sources whose every picture was read as normal; with a Gaussian they are pictures without findings.
        normals_weight: of one such picture, where one with labels counts 1.
        known, keep_boxes, folds, held_fold: as in `FinetuneRecipe`.
    """

    optim: Optim = _NO_STEPS
    encoder: str
    given_px: int = 224
    kernel: Kernel = "linear"
    ridge: float = 1.0
    invariance: float = 10.0
    views: int = 3
    spread: float = 0.5
    normals: tuple[str, ...] = ()
    normals_weight: float = 0.5
    known: Known = "all"
    keep_boxes: bool = True
    folds: int = 0
    held_fold: int = 0

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)  # classes with slots are made anew, and super() looks for the old one
        require_fold(self.name, self.folds, self.held_fold)
        if self.normalisation != "grey":
            raise ValueError(f"{self.name}: a head is solved on images of normalisation grey, not {self.normalisation}")
        if self.kernel not in get_args(Kernel):
            raise ValueError(f"{self.name}: no kernel {self.kernel!r}; there are {', '.join(get_args(Kernel))}")
        if self.normals and self.kernel == "linear":
            raise ValueError(f"{self.name}: normals take part with a Gaussian kernel only")
        if self.normals_weight <= 0:
            raise ValueError(f"{self.name}: normals of weight {self.normals_weight}; leave them out with normals=()")
