"""Results as JSON lines, as CSV and as Parquet; rows come and go one by one, however many there are."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from service.inference.answers import ServedModel
from service.jobs.job import Task

Row = dict[str, Any]
Column = tuple[str, pa.DataType, Callable[[Row], Any]]

_BLOCK_BYTES = 64 * 1024
_ROWS_AT_ONCE = 256
_IMAGE_TEXTS = ("format", "modality", "view_position", "photometric_interpretation", "transfer_syntax_uid")


class ResultFormat(StrEnum):
    """How results are written; also the suffix of a file of them."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {
    ResultFormat.JSONL: "application/jsonl",
    ResultFormat.CSV: "text/csv; charset=utf-8",
    ResultFormat.PARQUET: "application/vnd.apache.parquet",
}


def columns(task: Task, model: ServedModel) -> Sequence[Column]:
    """The flat table's columns.

    Of a failed item, `error` is the problem's slug, `detail` its text, `gate_reasons` its reasons, the rest null.
    """
    fixed: list[Column] = [
        ("index", pa.int64(), lambda row: row["index"]),
        ("file", pa.string(), lambda row: row["file"]),
        ("error", pa.string(), lambda row: _at(row, "problem", "type", default="").rpartition("/")[2] or None),
        ("detail", pa.string(), lambda row: _at(row, "problem", "detail")),
        *((f"model_{key}", pa.string(), _getter("model", key)) for key in ("name", "version", "sha256", "thresholds")),
        *((key, pa.int64(), _getter("image", key)) for key in ("height", "width")),
        *((key, pa.string(), _getter("image", key)) for key in _IMAGE_TEXTS),
        ("gate", pa.string(), _getter("gate", "verdict")),
        ("gate_reasons", pa.string(), _gate_reasons),
        ("gate_score", pa.float64(), _getter("gate", "score")),
    ]
    if task is Task.ANOMALY_MAP:
        numbers = {"score": pa.float64(), "percentile": pa.float64()}
        numbers |= dict.fromkeys(("masks", "rounds", "seed"), pa.int64())
        fixed += [(key, kind, _getter("anomaly", key)) for key, kind in numbers.items()]
        fixed.append(("boxes", pa.string(), lambda row: _json(_at(row, "anomaly", "boxes"))))
        return [*fixed, *((key, pa.string(), _getter("anomaly", key)) for key in ("map", "reconstruction"))]
    for finding in model.manifest.findings:
        name = finding.name
        fixed += [
            (name, pa.float64(), _of_finding(name, "probability")),
            (f"{name}_logit", pa.float64(), _of_finding(name, "logit")),
            (f"{name}_threshold", pa.float64(), _of_finding(name, "threshold")),
            (f"{name}_positive", pa.bool_(), _of_finding(name, "positive")),
            (f"{name}_boxes", pa.string(), _boxes_of(name)),
        ]
    return fixed


def to_jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    """A line of JSON a row, in blocks."""
    return _blocks(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def to_csv(rows: Iterable[Row], table: Sequence[Column]) -> Iterator[bytes]:
    """RFC 4180 with a header line; null is empty. Text that a spreadsheet would run as a formula gets a quote first."""

    def lines() -> Iterator[bytes]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        for values in _with_header(rows, table):
            writer.writerow([_inert(value) for value in values])
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()

    return _blocks(lines())


def write_parquet(rows: Iterable[Row], table: Sequence[Column], out: Path | BinaryIO) -> None:
    """One file, zstd, some hundred rows a group; a file that is open stays so."""
    schema = pa.schema([(name, kind) for name, kind, _ in table])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        pending: list[Row] = []
        for row in rows:
            pending.append({name: value_of(row) for name, _, value_of in table})
            if len(pending) == _ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(pending, schema))
                pending.clear()
        writer.write_table(pa.Table.from_pylist(pending, schema))


def _with_header(rows: Iterable[Row], table: Sequence[Column]) -> Iterator[list[Any]]:
    yield [name for name, _, _ in table]
    for row in rows:
        yield [value_of(row) for _, _, value_of in table]


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _getter(*keys: str) -> Callable[[Row], Any]:
    return lambda row: _at(row, *keys)


def _at(row: Row, *keys: str, default: object = None) -> Any:  # noqa: ANN401 JSON
    value: Any = row
    for key in keys:
        value = (value or {}).get(key)
    return default if value is None else value


def _gate_reasons(row: Row) -> str | None:
    return ";".join(_at(row, "gate", "reasons", default=()) or _at(row, "problem", "reasons", default=())) or None


def _of_finding(name: str, key: str) -> Callable[[Row], Any]:
    return lambda row: next((found[key] for found in row.get("findings", ()) if found["name"] == name), None)


def _boxes_of(name: str) -> Callable[[Row], str | None]:
    boxes = _of_finding(name, "boxes")
    return lambda row: _json(boxes(row))


def _json(value: object) -> str | None:
    return json.dumps(value) if value else None
