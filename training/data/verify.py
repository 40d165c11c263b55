"""Whether a data set lies on disk as its lists say, and whether its splits can be trusted."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import SPLITS, Dataset, Row
from training.data.on_disk import OnDisk, look
from training.data.problems import problems
from training.data.published import PUBLISHED
from training.data.report import Comparison, Mentions, Report

UNSPLIT = "unsplit"

_Parts = Mapping[str, Sequence[Row]]


def verify(dataset: Dataset, *, hash_images: bool, decode: bool = True) -> Report:
    """Count a data set and look at each of its files.

    Args:
        dataset: as its reader gives it.
        hash_images: read every file and compare contents.
        decode: decode every file as serving would. With neither, files are looked for and not opened.

    Returns:
        All there is to say; `problems` is empty where every image is there, decodable and listed once, no patient and
        no content is in two splits, and an exclusive data set has one finding a row.
    """
    parts = {
        name: part for name in (*SPLITS, UNSPLIT) if (part := [row for row in dataset.rows if _split(row) == name])
    }
    files = list(dict.fromkeys(row.file for row in dataset.rows))
    found = {one.file: one for one in look(files, hash_images=hash_images, decode_images=decode)}
    checks = {"whether two images have the same content": hash_images, "whether images can be decoded": decode}
    return Report(
        name=dataset.name,
        images={name: len(part) for name, part in parts.items()},
        patients={name: len({row.patient for row in part}) for name, part in parts.items()},
        findings=_mentions(dataset, parts),
        views=_values(dataset.rows, lambda row: row.view),
        sexes=_values(dataset.rows, lambda row: row.sex),
        kinds=dict(Counter(one.kind for one in found.values() if one.kind)),
        lists={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in dataset.lists},
        images_sha256=_digest(found.values()) if hash_images else "",
        repeated=sum(_repeated(part, found) for part in parts.values()) if hash_images else None,
        left_out=dict(dataset.left_out),
        published=_comparisons(dataset),
        unchecked=tuple(what for what, is_done in checks.items() if not is_done),
        problems=problems(dataset, found),
    )


def _split(row: Row) -> str:
    return row.split or UNSPLIT


def _mentions(dataset: Dataset, parts: _Parts) -> dict[str, dict[str, Mentions]]:
    matrices = {split: dataset.labels(part) for split, part in parts.items()}
    return {
        finding: {split: _mentions_of(matrix[:, place]) for split, matrix in matrices.items()}
        for place, finding in enumerate(dataset.findings)
    }


def _mentions_of(labels: NDArray[np.float32]) -> Mentions:
    present, absent = int((labels == 1).sum()), int((labels == 0).sum())
    return Mentions(present, absent, len(labels) - present - absent)


def _values(rows: Iterable[Row], value: Callable[[Row], str]) -> dict[str, dict[str, int]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[value(row) or "unknown"][_split(row)] += 1
    return {name: dict(by_split) for name, by_split in sorted(counts.items())}


def _digest(found: Iterable[OnDisk]) -> str:
    return hashlib.sha256("".join(f"{one.sha256}  {one.file.name}\n" for one in found).encode()).hexdigest()


def _repeated(rows: Sequence[Row], found: Mapping[Path, OnDisk]) -> int:
    hashes = [found[file].sha256 for file in {row.file for row in rows} if found[file].sha256]
    return len(hashes) - len(set(hashes))


def _comparisons(dataset: Dataset) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(f"{one.counted} of {' + '.join(one.splits)}", one.number, one.measured(dataset), one.source)
        for one in PUBLISHED.get(dataset.name, ())
    )
