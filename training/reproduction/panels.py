"""Pictures of a figure: which networks draw, what they draw on, and where it is written."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.errors import ThorascopeError
from training.recipes.table import PaperRow
from training.reproduction.report import Report
from training.reproduction.workshop import Workshop

Draw = Callable[[list[PaperRow], Workshop], Any]  # a matplotlib figure, whose library is slow to import

_DPI = 150


def draw_panel(report: Report, workshop: Workshop) -> Report:
    """Draw the figure of a table that has one into `<name>.png`, with all networks that are there.

    Returns:
        The report with the picture's name, or with a remark that says why there is none.
    """
    table = report.table
    if not table.panel:
        return report
    ready = [
        row for row in table.rows if not workshop.at_hand.missing(row.recipe) and workshop.network(row.recipe).exists()
    ]
    if not ready:
        return replace(report, remarks=(*report.remarks, "No picture: not one network is there to draw it."))
    draw: Draw = importlib.import_module(f"training.reproduction.panel_{table.panel}").draw
    try:
        figure = draw(ready, workshop)
    except (ThorascopeError, ValueError) as error:
        return replace(report, remarks=(*report.remarks, f"No picture: {error}."))
    workshop.out.mkdir(parents=True, exist_ok=True)
    name = f"{table.name}.png"
    figure.savefig(workshop.out / name, dpi=_DPI)
    return replace(report, panel=name)
