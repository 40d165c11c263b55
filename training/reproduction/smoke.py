"""A few steps of rows on synthetic twins of their data sets: every row of every table, or one of each kind."""

import importlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from training.data import manifest
from training.data.catalogue import NAMES
from training.data.twins import write_twin
from training.engine import Engine
from training.material import Sources
from training.recipes import inpaint_densenet121, mae_vit_s16, moco_densenet121
from training.recipes.small import small_table
from training.recipes.table import PaperRow, Table
from training.reproduction.at_hand import AtHand, file_of
from training.reproduction.conduct import reproduce
from training.reproduction.report import FAILED, MISSING
from training.reproduction.stand_ins import write_boxes, write_stand_in
from training.reproduction.tiny import tiny_row
from training.reproduction.workshop import Workshop
from training.run import LOG

TABLES = (*(f"table{number}" for number in range(1, 8)), *(f"figure{number}" for number in range(1, 5)))

_USUAL_NUM = 16  # pictures of a twin: two batches for training, and both kinds of some finding in every split
_NUM_PICTURES = {manifest.NAME: 80}  # figure 1's smallest twin trains on 15 % of the patients


@dataclass(frozen=True, slots=True)
class Smoked:
    """What became of one row.

    Attributes:
        name: table and key.
        seconds: of training, what it starts from included unless an earlier row had made that, and of measuring.
        first_loss: of its own training; None for a released network.
        last_loss: after a few steps; nothing can be read from it but that it is a number.
        failure: what went wrong; empty where nothing did.
    """

    name: str
    seconds: float
    first_loss: float | None
    last_loss: float | None
    failure: str


def table_of(name: str) -> Table:
    """A table or figure by the name of its module."""
    table: Table = importlib.import_module(f"training.recipes.{name}").TABLE
    return table


def kinds() -> dict[str, PaperRow]:
    """One row of each kind, by the kind; each leaves behind what a later one starts from."""
    table1, table2, table5 = (table_of(name) for name in ("table1", "table2", "table5"))
    return {
        "mae": PaperRow("mae", "", mae_vit_s16.PRETRAIN, ()),
        "inpainting": PaperRow("inpainting", "", inpaint_densenet121.PRETRAIN, ()),
        "moco": PaperRow("moco", "", moco_densenet121.PRETRAIN, ()),
        "vit": table1.row("vit-mae"),
        "densenet": table1.row("cnn-mae"),
        "resnet": table1.row("cnn-imagenet-swav"),
        "chexpert": table1.row("vit-mae-chexpert"),
        "covidx": table1.row("vit-mae-covidx"),
        "linear-probe": table2.row("crop-50-100"),
        "448-px": table5.row("vit-s-448"),
    }


def every_row() -> Iterator[tuple[str, PaperRow]]:
    """All rows and variants of all tables, then all their small twins."""
    for name in TABLES:
        table = table_of(name)
        for label, one in ((name, table), (f"{name} small", small_table(table))):
            for row in (*one.rows, *one.variants):
                yield f"{label}:{row.key}", row


def laboratory(folder: Path, rows: Mapping[str, PaperRow], engine: Engine) -> Workshop:
    """A workshop with a twin of every data set, and a stand-in for every file that the rows start from."""
    roots = {
        name: write_twin(name, folder / "data" / name, num=_NUM_PICTURES.get(name, _USUAL_NUM), seed=0)
        for name in NAMES
    }
    write_boxes(roots[manifest.NAME])
    files = {file for row in rows.values() if (file := file_of(row.recipe)) is not None}
    weights = {file.key: write_stand_in(file, folder) for file in files}
    sources = Sources(roots, folder / "cache", any_licence=True)
    return Workshop(AtHand(sources, weights), folder / "runs", engine, engine.launch())


def smoke(name: str, row: PaperRow, workshop: Workshop) -> Smoked:
    """Run the tiny twin of a row through training, scoring and measuring."""
    began = time.perf_counter()
    twin = tiny_row(row)
    try:
        with redirect_stderr(StringIO()):  # a progress bar for each of hundreds of tiny runs
            report = reproduce(Table(name, "", (twin,)), workshop)
    except Exception as error:  # noqa: BLE001  # with whatever a row breaks, the others are still to be tried
        return Smoked(name, time.perf_counter() - began, None, None, f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - began
    if report is None:
        return Smoked(name, seconds, None, None, "told to stop")
    problems = dict.fromkeys(
        remark for line in report.lines for remark in line.remarks if remark.startswith((FAILED, MISSING))
    )
    log = workshop.folder(twin.recipe) / LOG if not problems else Path()
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    losses = [line["loss"] for line in lines if "loss" in line]
    first, last = (losses[0], losses[-1]) if losses else (None, None)
    return Smoked(name, seconds, first, last, "; ".join(problems))
