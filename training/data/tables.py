"""Tables and lists as they are published: CSV or text, plain or gzipped; mistakes are named by their line."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from training.data.dataset import DataError


def last_of(root: Path, *patterns: str) -> Path | None:
    """Of the files in `root` that match a pattern, the last by name (hence the newest release); None without any."""
    found = [path for pattern in patterns for path in root.glob(pattern) if path.is_file()]
    return max(found, key=lambda path: path.name, default=None)


def needed(root: Path, *patterns: str) -> Path:
    """`last_of`, where there has to be one.

    Raises:
        DataError: none; the message names the folder and the patterns.
    """
    path = last_of(root, *patterns)
    if path is None:
        raise DataError(f"{root} holds no {' or '.join(patterns)}")
    return path


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not blank, without the white space around it.

    Raises:
        DataError: no such file, or it is no text.
    """
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            if text := line.strip():
                yield number, text


def records(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Number of the line and the fields of each row of a CSV, in the order of `columns` and `optional`.

    Commas without anything behind them at the end of a line, as NIH publishes them, are no columns.

    Args:
        columns: names that the header must have.
        optional: names whose fields are empty where the header lacks them.

    Raises:
        DataError: no such file, a needed column is missing, or a row has more or fewer fields than the header.
    """
    with _opened(path) as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        while header and not header[-1]:
            header.pop()
        if missing := [name for name in columns if name not in header]:
            raise DataError(f"{path} lacks the columns {missing}")
        width = len(header)
        places = [header.index(name) if name in header else None for name in (*columns, *optional)]
        for row in tqdm(reader, desc=path.name, unit="row", delay=1, leave=False):
            if len(row) != width and (len(row) < width or any(row[width:])):
                if not row:
                    continue
                raise DataError(f"{path} line {reader.line_num}: {len(row)} fields where the header has {width}")
            yield reader.line_num, tuple(["" if place is None else row[place] for place in places])


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A text file, unpacked on the way where its name ends in .gz, a byte-order mark left out."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="")
        ) as stream:
            yield stream
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except (UnicodeDecodeError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged: {error}") from error
