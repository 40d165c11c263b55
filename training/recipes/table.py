"""A table or figure of the paper as a value: its rows, what trains each, and the numbers that were printed."""

from collections.abc import Callable
from dataclasses import dataclass

from training.recipes.types import FinetuneRecipe, LinprobeRecipe


@dataclass(frozen=True, slots=True)
class Number:
    """One printed number.

    Attributes:
        column: heading in the paper.
        metric: what is measured for it: a name of `training.reproduction.metrics`.
        paper: as printed, percent where the paper has percent; None where it prints none.
    """

    column: str
    metric: str
    paper: float | None


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One line of a table, on one data set.

    Attributes:
        key: what the command line calls it.
        label: what the paper calls it.
        recipe: what trains it, from its start to the network that is measured.
        numbers: what is measured of it.
        note: what a reader has to know; empty for nothing.
    """

    key: str
    label: str
    recipe: FinetuneRecipe | LinprobeRecipe
    numbers: tuple[Number, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a figure.

    Attributes:
        name: of its module.
        title: in short.
        rows: in the paper's order.
        small: the same row on the images at hand, in a size that a CPU trains; None for a row that has no small twin.
    """

    name: str
    title: str
    rows: tuple[PaperRow, ...]
    small: Callable[[PaperRow], PaperRow | None] | None = None

    def row(self, key: str) -> PaperRow:
        """A row by its key.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)
