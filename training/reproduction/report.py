"""What `reproduce` says of a table, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from training.recipes.table import Number, PaperRow, Table
from training.reproduction.contrasts import Difference
from training.reproduction.metrics import Measured

Origin = Literal["", "this run", "an earlier run"]


@dataclass(frozen=True, slots=True)
class Line:
    """One number of one row: the paper's beside ours.

    Attributes:
        key: of the row; empty for a cited one.
        label: of the row.
        column: of the number.
        paper: as printed; None where the paper prints none.
        measured: None where nothing was measured.
        origin: what measured it; empty where nothing did.
        remarks: what is missing, what failed, and what else a reader has to know.
    """

    key: str
    label: str
    column: str
    paper: float | None
    measured: Measured | None
    origin: Origin
    remarks: tuple[str, ...]

    @property
    def note(self) -> str:
        """All remarks in one."""
        own = () if self.measured is None else (self.measured.note,)
        found = "found finished" if self.origin == "an earlier run" else ""
        return "; ".join(filter(None, (*self.remarks, *own, found)))


@dataclass(frozen=True, slots=True)
class Report:
    """A table as it was reproduced.

    Attributes:
        table: its rows are those that were asked for.
        judges: in words, the images that judged.
        lines: in the table's order, cited ones last.
        differences: of the table's contrasts, as far as both rows were measured.
        changes: what `--set` changed.
        panel: name of the picture that was drawn; empty where there is none.
        remarks: what a reader has to know of the whole.
    """

    table: Table
    judges: tuple[str, ...]
    lines: tuple[Line, ...]
    differences: tuple[Difference, ...]
    changes: tuple[str, ...] = ()
    panel: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Whether a row could have been measured and was not."""
        return any(remark.startswith(FAILED) for line in self.lines for remark in line.remarks)


FAILED, MISSING = "failed: ", "missing: "


def lines_of(
    row: PaperRow, measured: Sequence[Measured | None], origin: Origin, remarks: tuple[str, ...] = ()
) -> list[Line]:
    """Lines of a row, a number each; one line without a number where a figure's row has none."""
    numbers = row.numbers or (Number("picture", "", None),)
    values = measured or [None] * len(numbers)
    return [
        Line(
            key=row.key,
            label=row.label,
            column=number.column,
            paper=number.paper,
            measured=value,
            origin=origin if value is not None and value.n is not None else "",
            remarks=tuple(filter(None, (*remarks, row.note))),
        )
        for number, value in zip(numbers, values, strict=True)
    ]


def cited_lines(table: Table) -> list[Line]:
    """Lines of other papers."""
    return [
        Line("", cited.label, number.column, number.paper, None, "", ("cited by the paper",))
        for cited in table.cited
        for number in cited.numbers
    ]
