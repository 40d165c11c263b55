"""Logits of a site's images: computed here, or read from what `python -m service batch` has written."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.errors import InvalidRequestError, NotAChestRadiographError
from models.imaging.gate import Verdict
from service.api.job_formats import ResultFormat, columns
from service.inference.answers import Prediction, ServedModel
from service.jobs.job import Task


@dataclass(slots=True)
class SiteScores:
    """What the bundle says of N images, in the order of the label table.

    Attributes:
        logits: (N, F); NaN in the rows of files that are left out, and in the columns of findings that were not
            trained.
        rejected: files that the gate takes for no chest radiograph, with the reason.
        failed: files that do not decode, are not there, or have no result, with the reason.
    """

    logits: NDArray[np.float64]
    rejected: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, num_images: int, num_findings: int) -> "SiteScores":
        """Nothing scored yet."""
        return cls(np.full((num_images, num_findings), np.nan))

    def take(self, place: int, prediction: Prediction) -> None:
        """The answer to one image."""
        self.logits[place] = [np.nan if one.logit is None else one.logit for one in prediction.findings]

    def leave_out(self, file: str, slug: str, reason: str) -> None:
        """An image without an answer.

        Args:
            slug: of its problem.
        """
        (self.rejected if slug == NotAChestRadiographError.code else self.failed)[file] = reason


def read_scores(path: Path, files: Sequence[str], model: ServedModel) -> SiteScores:
    """Results of `batch`, joined with the label table by the name of the file.

    Args:
        path: .parquet, .csv or .jsonl.
        files: of the label table, spelt as in the results.

    Raises:
        InvalidRequestError: not such a file, scores of another bundle, two results for one file, or none of the files.
    """
    findings = [finding.name for finding in model.manifest.findings]
    scores = SiteScores.empty(len(files), len(findings))
    places = {file: place for place, file in enumerate(files)}
    seen: set[str] = set()
    for row in _rows(path, model):
        file = row["file"]
        if file not in places:
            continue
        if file in seen:
            raise InvalidRequestError(
                f"{path.name} has two results for {file}; give the files, or the archives they lie in, names of their "
                "own and score them again"
            )
        seen.add(file)
        if row["error"]:
            scores.leave_out(file, row["error"], row["detail"] or row["error"])
        elif row["model_sha256"] != model.sha256:
            raise InvalidRequestError(f"{path.name} holds scores of another bundle than the one to calibrate")
        elif row["gate"] == Verdict.REJECTED:
            scores.leave_out(file, NotAChestRadiographError.code, row["gate_reasons"] or "rejected by the gate")
        else:
            scores.logits[places[file]] = [_number(row[f"{name}_logit"]) for name in findings]
    if not seen:
        raise InvalidRequestError(
            f"{path.name} has no result for any file of the labels; `file` must be spelt alike, a zip's member as "
            "`archive.zip/member`"
        )
    for file in files:
        if file not in seen:
            scores.failed[file] = f"no result in {path.name}"
    return scores


def _rows(path: Path, model: ServedModel) -> Iterator[dict[str, Any]]:
    """The flat rows of any of the three formats; values of a CSV are text."""
    needed = {"file", "error", "detail", "model_sha256", "gate", "gate_reasons"}
    needed |= {f"{finding.name}_logit" for finding in model.manifest.findings}
    table = [column for column in columns(Task.PREDICT, model) if column[0] in needed]
    try:
        if path.suffix == f".{ResultFormat.PARQUET}":
            yield from _complete(pq.read_table(path).to_pylist(), needed, path)
        elif path.suffix == f".{ResultFormat.CSV}":
            with path.open(newline="", encoding="utf-8") as stream:
                for row in _complete(csv.DictReader(stream), needed, path):
                    yield row | {"file": _unquoted(row["file"])}
        elif path.suffix == f".{ResultFormat.JSONL}":
            with path.open(encoding="utf-8") as stream:
                for line in stream:
                    answer = json.loads(line)
                    yield {name: value_of(answer) for name, _, value_of in table}
        else:
            raise InvalidRequestError(f"{path}: the suffix must be .parquet, .csv or .jsonl")
    except OSError as error:
        raise InvalidRequestError(f"{path}: {error.strerror or 'cannot be read'}") from error
    except (pa.ArrowException, csv.Error, ValueError, TypeError, LookupError, AttributeError) as error:
        raise InvalidRequestError(f"{path.name} is not what `batch` writes for this bundle") from error


def _complete(rows: Iterable[dict[str, Any]], needed: set[str], path: Path) -> Iterator[dict[str, Any]]:
    for row in rows:
        if missing := sorted(needed.difference(row)):
            raise InvalidRequestError(f"{path.name} lacks the column {missing[0]}, which `batch` writes")
        yield row


def _unquoted(text: str) -> str:
    """The name without the quote that `to_csv` puts before what a spreadsheet would run."""
    return text[1:] if text[:1] == "'" and text[1:2] in set("=+-@\t\r") else text


def _number(value: object) -> float:
    return np.nan if value in (None, "") else float(str(value))
