"""What a recipe of cross-validation says."""

from dataclasses import dataclass

from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe


@dataclass(frozen=True, slots=True)
class CrossvalRecipe:
    """Cross-validation over the training patients: for every seed and fold one classifier that has not seen the fold.

    Attributes:
        name: of the progress bars.
        member: what each of them is trained by; its fold and its seed are replaced.
        folds: parts of the patients.
        seeds: repetitions; each is a cross-validation of its own.
        held_folds: the parts that are held out in turn; None: all. The others are trained on by every member, and have
            no out-of-fold scores.
        score_side_px: rows and columns of the pictures that are scored, as a bundle would be sent them.
    """

    name: str
    member: FinetuneRecipe | ProbeRecipe
    folds: int = 5
    seeds: tuple[int, ...] = (0, 1, 2)
    held_folds: tuple[int, ...] | None = None
    score_side_px: int = 224
