"""`reproduce`: a table or figure of the paper, as far as the data at hand allow: paper, measured, interval, missing."""

import argparse
import importlib
from dataclasses import replace
from pathlib import Path

from training.commands.rows import sources_of
from training.commands.running import add_engine_arguments, engine_of
from training.overrides import override
from training.recipes.small import small_table
from training.recipes.table import PaperRow, Table
from training.reproduction.at_hand import AtHand
from training.reproduction.conduct import picked, plan, preview, reproduce
from training.reproduction.panels import draw_panel
from training.reproduction.rendering import as_json, as_text
from training.reproduction.report import Report
from training.reproduction.workshop import Workshop

TABLES = (*(f"table{number}" for number in range(1, 8)), *(f"figure{number}" for number in range(1, 5)))
SMALL = "scale=small"
_DATA = (Path("data"), Path("../shared/data/cxr"))  # the second lies beside the checkout (CONTRIBUTING.md)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which table, on which data, and how."""
    parser.add_argument("table", choices=TABLES, help="of arXiv:2210.12843")
    parser.add_argument("--rows", default="", metavar="KEY,KEY", help="only these rows, variants included")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=f"change a value of every row that has it; {SMALL} takes the small twins of all rows",
    )
    parser.add_argument(
        "--data", type=Path, help=f"folder of data sets, or manifest CSV; default: {' or '.join(map(str, _DATA))}"
    )
    parser.add_argument("--any-licence", action="store_true", help="also rows whose weights may not be shipped")
    parser.add_argument(
        "--weights", action="append", default=[], metavar="KEY=FILE", help="weights that others published"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="runs, tables and pictures")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and what is missing; train nothing")
    add_engine_arguments(parser)


def run(options: argparse.Namespace) -> bool:
    """Print and write the table; False where a run was told to stop, or a row failed."""
    changes = [assignment for assignment in options.set if assignment != SMALL]
    table = importlib.import_module(f"training.recipes.{options.table}").TABLE
    table = small_table(table) if SMALL in options.set else table
    table = changed(picked(table, [key for key in options.rows.split(",") if key]), changes)
    options.data = options.data or next((path for path in _DATA if path.exists()), _DATA[0])
    weights = dict(_pair(text) for text in options.weights)
    engine = engine_of(options)
    workshop = Workshop(
        AtHand(sources_of(options), weights), options.out, engine, engine.launch(), 60 * options.checkpoint_minutes
    )
    if options.dry_run:
        _print_plan(table, workshop)
        print(as_text(replace(preview(table, workshop), changes=tuple(options.set))))
        return True
    reproduced = reproduce(table, workshop)
    if reproduced is None:
        return False
    if workshop.fabric.is_global_zero:
        _write(draw_panel(replace(reproduced, changes=tuple(options.set)), workshop), workshop.out)
    return not reproduced.has_failed


def changed(table: Table, assignments: list[str]) -> Table:
    """The table with values of its recipes changed, in every row that has them.

    Raises:
        ValueError: no row has such a value, or it is of another type.
    """
    for assignment in assignments:
        path = assignment.partition("=")[0]
        if not any(_has(row, path) for row in table.rows):
            raise ValueError(f"--set {assignment}: no row of {table.name} has {path!r}")
        rows = tuple(
            replace(row, recipe=override(row.recipe, assignment)) if _has(row, path) else row for row in table.rows
        )
        table = replace(table, rows=rows)
    return table


def _has(row: PaperRow, path: str) -> bool:
    value: object = row.recipe
    for name in path.split("."):
        if not hasattr(value, name):
            return False
        value = getattr(value, name)
    return True


def _pair(text: str) -> tuple[str, Path]:
    key, separator, path = text.partition("=")
    if not separator:
        raise ValueError(f"--weights {text}: expected KEY=FILE")
    return key, Path(path)


def _print_plan(table: Table, workshop: Workshop) -> None:
    runs = plan(table, workshop)
    print("Runs, in this order:" if runs else "Nothing can run.")
    for number, one in enumerate(runs, start=1):
        state = "finished" if one.is_finished else "to be made"
        print(f"  {number}. {workshop.folder(one.recipe).name}, {state}, for {', '.join(one.rows)}")
    print()


def _write(report: Report, out: Path) -> None:
    text, name = as_text(report), report.table.name
    print(text)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(text)
    (out / f"{name}.json").write_text(as_json(report))
    print(f"Written to {out}: {', '.join(filter(None, (f'{name}.md', f'{name}.json', report.panel)))}")
