"""A table or figure of the paper as a value: its rows, what trains each, and the numbers that were printed."""

from dataclasses import dataclass
from typing import Literal

from models.imaging.preprocess import Geometry
from training.recipes.types import FinetuneRecipe, FromFile, LinprobeRecipe, Normalisation, UnlabelledRecipe

Panel = Literal["", "reconstructions", "differences", "saliency"]


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
class Released:
    """A classifier that others trained and published, measured as it is, on what the official evaluation shows it.

    Attributes:
        name: of the folder for what is measured.
        file: the network's.
        data: the data set it is measured on; empty in a figure, which draws on what is there.
        image_size_px: rows and columns the network sees.
        geometry: the central 224 of 256, or all of a larger image.
        normalisation: as in `Recipe`.
    """

    name: str
    file: FromFile
    data: tuple[str, ...]
    image_size_px: int = 224
    geometry: Geometry = Geometry.CENTER_CROP
    normalisation: Normalisation = "grey"


RowRecipe = FinetuneRecipe | LinprobeRecipe | UnlabelledRecipe | Released


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One line of a table, on one data set.

    Attributes:
        key: what the command line calls it.
        label: what the paper calls it.
        recipe: what trains it, from its start to the network that is measured or, in a figure, that draws.
        numbers: what is measured of it.
        note: what a reader has to know; empty for nothing.
    """

    key: str
    label: str
    recipe: RowRecipe
    numbers: tuple[Number, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cited:
    """A line that the paper took from others' papers; nothing here trains it."""

    label: str
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two rows whose difference is what a table wants to show: mean AUROC of the first minus that of the second."""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a figure.

    Attributes:
        name: of its module.
        title: in short.
        rows: in the paper's order.
        variants: rows that the paper does not have in this form: where its text, README and code differ, and released
            networks. They run only where they are named.
        cited: lines of other papers.
        contrasts: pairs of keys.
        ablates: values by their path in a recipe that this table is about; its small rows keep them.
        small_keys: rows that run at small scale unless others are named; all that have a small twin where empty.
        panel: what picture is drawn of all rows together.
    """

    name: str
    title: str
    rows: tuple[PaperRow, ...]
    variants: tuple[PaperRow, ...] = ()
    cited: tuple[Cited, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    ablates: frozenset[str] = frozenset()
    small_keys: tuple[str, ...] = ()
    panel: Panel = ""

    def row(self, key: str) -> PaperRow:
        """A row or variant by its key.

        Raises:
            KeyError: there is none.
        """
        for row in (*self.rows, *self.variants):
            if row.key == key:
                return row
        raise KeyError(key)
