"""A reproduction that is stopped goes on, and a row that fails leaves the others alone."""

from dataclasses import replace

from tests.training.execution import StopAfter, losses
from training.recipes.table import Table
from training.recipes.table1 import TABLE as TABLE1
from training.reproduction.conduct import reproduce
from training.reproduction.report import FAILED
from training.reproduction.tiny import tiny_row
from training.reproduction.workshop import Workshop

ROW = tiny_row(TABLE1.row("vit-random"))


class Stopping(Workshop):
    """Every run in it is told to stop after its first step."""

    def open(self, recipe):
        return StopAfter(self.folder(recipe), 1)


def table(*rows) -> Table:
    return Table("table1", "", rows)


def test_what_was_stopped_goes_on_where_it_was_left(workshop_on):
    """In the same folder; no step is made twice."""
    workshop = workshop_on("chestxray14")
    stopping = Stopping(workshop.at_hand, workshop.out, workshop.engine, workshop.fabric)
    folder = workshop.folder(ROW.recipe)

    assert None is reproduce(table(ROW), stopping)
    assert 1 == len(losses(folder))
    report = reproduce(table(ROW), workshop)

    assert 2 == len(losses(folder))
    assert "this run" == report.lines[0].origin


def test_a_row_that_fails_is_said_to_and_the_next_one_runs(workshop_on, roots, tmp_path):
    """The reason stands where the number would."""
    too_large = replace(ROW, key="large", recipe=replace(ROW.recipe, optim=replace(ROW.recipe.optim, batch=4096)))

    report = reproduce(table(too_large, ROW), workshop_on("chestxray14"))

    failed, measured = report.lines
    assert failed.remarks[0].startswith(f"{FAILED}")
    assert "do not fill one batch of 4096" in failed.remarks[0]
    assert None is failed.measured
    assert measured.measured.n
    assert report.has_failed


def test_scores_are_kept_and_not_taken_twice(workshop_on):
    """A second look at a finished run needs no network: a table is rendered anew in no time."""
    workshop = workshop_on("chestxray14")
    first = reproduce(table(ROW), workshop)
    workshop.network(ROW.recipe).write_bytes(b"no network any more")

    second = reproduce(table(ROW), workshop)

    assert first.lines[0].measured == second.lines[0].measured
