"""What `verify` found out about a data set."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

BySplit = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, however often.

    Attributes:
        what: in words.
        total: how many images, files or patients it concerns.
        examples: the first of them.
    """

    what: str
    total: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A published number beside the one that was counted."""

    what: str
    published: int
    measured: int
    source: str


@dataclass(frozen=True, slots=True)
class Mentions:
    """In how many images a finding is present, absent and unknown."""

    present: int
    absent: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Report:
    """A data set as it lies on disk. A split that nobody made is called `unsplit`, a value nobody gave `unknown`.

    Attributes:
        name: of the data set.
        images: number by split.
        patients: number by split.
        findings: by finding, then split.
        views: number of images by view, then split.
        sexes: number of images by sex, then split.
        kinds: number of images by format and size; empty where none was decoded.
        lists: SHA-256 by file name.
        images_sha256: of the lines `<sha256>  <file name>` of all images in order; empty where they were not hashed.
        repeated: images that have the content of an earlier one of their split; None where they were not hashed.
        left_out: images that the lists name and the reader does not take, by reason.
        published: what the source says, beside what was counted.
        unchecked: what was not looked at.
        problems: everything that is wrong; empty where nothing is.
    """

    name: str
    images: BySplit
    patients: BySplit
    findings: Mapping[str, Mapping[str, Mentions]]
    views: Mapping[str, BySplit]
    sexes: Mapping[str, BySplit]
    kinds: Mapping[str, int]
    lists: Mapping[str, str]
    images_sha256: str
    repeated: int | None
    left_out: Mapping[str, int]
    published: tuple[Comparison, ...]
    unchecked: tuple[str, ...]
    problems: tuple[Problem, ...]

    def as_json(self) -> str:
        """Every attribute under its own name."""
        return json.dumps(asdict(self), indent=2)
