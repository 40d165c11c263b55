"""Reproducing a table: what can run runs, what ran is measured, and what is missing is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.errors import ThorascopeError
from training.recipes.table import PaperRow, RowRecipe, Table
from training.recipes.types import UnlabelledRecipe
from training.reproduction.at_hand import chain
from training.reproduction.contrasts import Difference, difference
from training.reproduction.execution import make
from training.reproduction.metrics import counted_of, measured_of
from training.reproduction.report import FAILED, MISSING, Line, Report, cited_lines, lines_of
from training.reproduction.tested import Tested
from training.reproduction.workshop import Workshop


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a plan.

    Attributes:
        recipe: what is run.
        rows: keys of the rows that need it.
        is_finished: whether its network is there already.
    """

    recipe: RowRecipe
    rows: tuple[str, ...]
    is_finished: bool


def picked(table: Table, keys: Sequence[str]) -> Table:
    """The table with the rows of these keys, in this order; as it is where none are given.

    Raises:
        ValueError: there is no such row.
    """
    if not keys:
        return table
    try:
        return replace(table, rows=tuple(table.row(key) for key in keys), cited=())
    except KeyError as error:
        known = ", ".join(row.key for row in (*table.rows, *table.variants))
        raise ValueError(f"{table.name} has no row {error.args[0]!r}; there are {known}") from error


def plan(table: Table, workshop: Workshop) -> list[PlannedRun]:
    """Runs of the rows that lack nothing, in the order in which they are made; a shared one once."""
    rows_of: dict[RowRecipe, list[str]] = {}
    for row in table.rows:
        if not workshop.at_hand.missing(row.recipe):
            for recipe in chain(row.recipe):
                rows_of.setdefault(recipe, []).append(row.key)
    return [PlannedRun(recipe, tuple(keys), workshop.network(recipe).exists()) for recipe, keys in rows_of.items()]


def preview(table: Table, workshop: Workshop) -> Report:
    """The table with what is missing, and what costs nothing to count; nothing is trained or measured."""
    lines = [line for row in table.rows for line in _unmeasured(row, _said(workshop.at_hand.missing(row.recipe)))]
    return Report(table, (), (*lines, *cited_lines(table)), ())


def reproduce(table: Table, workshop: Workshop) -> Report | None:
    """Run and measure; of several processes, the first one measures.

    A row that fails is reported, and the others go on. None where a run was told to stop.
    """
    lines: list[Line] = []
    tested: dict[str, Tested] = {}
    for row in table.rows:
        missing = workshop.at_hand.missing(row.recipe)
        if missing:
            lines += _unmeasured(row, _said(missing))
            continue
        try:
            made = [make(recipe, workshop) for recipe in chain(row.recipe)]
            if not all(one.is_done for one in made):
                return None
            if isinstance(row.recipe, UnlabelledRecipe) or not row.numbers or not workshop.fabric.is_global_zero:
                lines += lines_of(row, (), "")
                continue
            tested[row.key] = Tested(row.recipe, workshop)
            values = [
                counted_of(number.metric, row.recipe) or measured_of(number.metric, tested[row.key])
                for number in row.numbers
            ]
        except (ThorascopeError, ValueError, FloatingPointError) as error:
            tested.pop(row.key, None)
            lines += _unmeasured(row, f"{FAILED}{error}")
            continue
        lines += lines_of(row, values, "this run" if made[-1].is_new else "an earlier run")
    judges = tuple(dict.fromkeys(one.judges.text for one in tested.values()))
    return Report(table, judges, (*lines, *cited_lines(table)), tuple(_differences(table, tested)))


def _unmeasured(row: PaperRow, *remarks: str) -> list[Line]:
    return lines_of(row, [counted_of(number.metric, row.recipe) for number in row.numbers], "", remarks)


def _said(missing: Sequence[str]) -> str:
    return f"{MISSING}{', '.join(missing)}" if missing else ""


def _differences(table: Table, tested: Mapping[str, Tested]) -> list[Difference]:
    both = [
        difference((one.first, tested[one.first]), (one.second, tested[one.second]))
        for one in table.contrasts
        if one.first in tested and one.second in tested
    ]
    return [one for one in both if one is not None]
