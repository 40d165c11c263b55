"""What can be wrong with a data set, each thing counted and its first cases named."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from training.data.dataset import Dataset, Row
from training.data.on_disk import OnDisk
from training.data.report import Problem
from training.data.splits import in_two_splits

MOST_EXAMPLES = 10


def problems(dataset: Dataset, found: Mapping[Path, OnDisk]) -> tuple[Problem, ...]:
    """Everything that is wrong; empty where nothing is.

    Args:
        dataset: as its reader gives it.
        found: each of its files as it was met; contents are compared where they were hashed.
    """
    everything = (
        _no_rows(dataset),
        *_faults(found),
        _listed_twice(dataset.rows),
        _patients_in_two_splits(dataset.rows),
        _contents_in_two_splits(dataset.rows, found),
        _not_exclusive(dataset),
    )
    return tuple(problem for problem in everything if problem.total)


def _problem(what: str, cases: Collection[str]) -> Problem:
    return Problem(what, len(cases), tuple(cases)[:MOST_EXAMPLES])


def _no_rows(dataset: Dataset) -> Problem:
    return _problem("data set without a single image", [] if dataset.rows else [dataset.name])


def _faults(found: Mapping[Path, OnDisk]) -> Iterator[Problem]:
    for fault, what in (
        ("missing", "images are missing"),
        ("unreadable", "images cannot be read"),
        ("undecodable", "images cannot be decoded"),
    ):
        cases = [one for one in found.values() if one.fault == fault]
        yield _problem(what, [f"{one.file}: {one.reason}" if one.reason else str(one.file) for one in cases])


def _listed_twice(rows: Sequence[Row]) -> Problem:
    counts = Counter(row.file for row in rows)
    return _problem("files are listed more than once", [str(file) for file, number in counts.items() if number > 1])


def _patients_in_two_splits(rows: Sequence[Row]) -> Problem:
    cases = [f"{patient} in {' and '.join(splits)}" for patient, splits in in_two_splits(rows).items()]
    return _problem("patients are in more than one split", cases)


def _contents_in_two_splits(rows: Sequence[Row], found: Mapping[Path, OnDisk]) -> Problem:
    first: defaultdict[str, dict[str, Path]] = defaultdict(dict)  # content to split to the first file that has it
    for row in rows:
        if sha256 := found[row.file].sha256:
            first[sha256].setdefault(row.split, row.file)
    cases = [
        " and ".join(f"{file} ({split or 'unsplit'})" for split, file in by_split.items())
        for by_split in first.values()
        if len(by_split) > 1
    ]
    return _problem("contents are in more than one split", cases)


def _not_exclusive(dataset: Dataset) -> Problem:
    wrong = [row for row in dataset.rows if dataset.is_exclusive and len(row.labels) != 1]
    cases = [f"{row.file}: {', '.join(sorted(row.labels)) or 'none'}" for row in wrong]
    return _problem("images have not exactly one of the exclusive findings", cases)
