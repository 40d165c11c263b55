"""A report as tables for a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from training.data.report import Report

MOST_KINDS = 5  # formats and sizes that are listed one by one


def as_text(report: Report) -> str:
    """Counts first, then what the source says, then the files, the problems last."""
    splits = list(report.images)
    sections = (
        _counts(report),
        _findings(report, splits),
        _by_split("view", report.views, splits),
        _by_split("sex", report.sexes, splits),
        _published(report),
        _files(report),
        _problems(report),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section)))


def _counts(report: Report) -> Iterator[str]:
    images, patients = report.images.values(), report.patients.values()
    rows = [["images", *_numbers([*images, sum(images)])], ["patients", *_numbers(patients), ""]]
    yield from _table([report.name, *report.images, "all"], rows)
    for reason, number in report.left_out.items():
        yield f"left out: {number:,} images, {reason}"


def _findings(report: Report, splits: Sequence[str]) -> Iterator[str]:
    rows = []
    for finding, by_split in report.findings.items():
        found = [by_split[split] for split in splits]
        rows.append([finding, *(f"{said.present:,} / {said.absent:,} / {said.unknown:,}" for said in found)])
    yield from _table(["present / absent / unknown", *splits], rows)


def _by_split(title: str, counts: Mapping[str, Mapping[str, int]], splits: Sequence[str]) -> Iterator[str]:
    rows = [[value, *_numbers(by_split.get(split, 0) for split in splits)] for value, by_split in counts.items()]
    yield from _table([title, *splits], rows)


def _published(report: Report) -> Iterator[str]:
    if report.published:
        rows = [
            [one.what, *_numbers((one.published, one.measured)), "" if one.published == one.measured else "differs"]
            for one in report.published
        ]
        sources = ["according to", *(one.source for one in report.published)]
        table = _table(["", "published", "found", ""], rows)
        yield from (f"{line}  {source}".rstrip() for line, source in zip(table, sources, strict=True))


def _files(report: Report) -> Iterator[str]:
    for name, sha256 in report.lists.items():
        yield f"sha256 {sha256}  {name}"
    if report.images_sha256:
        yield f"sha256 {report.images_sha256}  of all images' hashes"
    ranked = sorted(report.kinds.items(), key=lambda item: -item[1])
    for kind, number in ranked[:MOST_KINDS]:
        yield f"{number:,} images are {kind}"
    if others := ranked[MOST_KINDS:]:
        yield f"{sum(number for _, number in others):,} images have {len(others):,} other formats and sizes"
    if report.repeated is not None:
        yield f"{report.repeated:,} images repeat the content of an earlier one of their split"
    for what in report.unchecked:
        yield f"not checked: {what}"


def _problems(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"PROBLEM: {problem.total:,} {problem.what}"
        yield from (f"  {example}" for example in problem.examples)
        if problem.total > len(problem.examples):
            yield f"  and {problem.total - len(problem.examples):,} more"
    if not report.problems:
        yield "no problems found"


def _numbers(values: Iterable[int]) -> list[str]:
    return [f"{value:,}" for value in values]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines with the first column to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for first, *others in (header, *rows):
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells)).rstrip()
