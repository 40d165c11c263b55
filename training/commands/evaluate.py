"""`evaluate`: how good a bundle or a checkpoint is on labelled images, with intervals."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from training.commands.model import Subject, add_model_arguments, data_of, open_model
from training.commands.numbers import write_json
from training.data.dataset import SPLITS, DataError, Dataset, Row, label_matrix
from training.description import why_flattered
from training.evaluation.bootstrap import Resampling
from training.evaluation.bundle_model import BundleModel
from training.evaluation.comparison import compare
from training.evaluation.exclusive import COVIDX_MERGE, exclusive_report
from training.evaluation.operating import Thresholds
from training.evaluation.report import findings_report
from training.evaluation.report_json import Json, comparison_json, exclusive_json, findings_json, subgroups_json
from training.evaluation.report_text import (
    comparison_lines,
    exclusive_lines,
    findings_lines,
    operating_lines,
    subgroup_lines,
)
from training.evaluation.scores import score
from training.evaluation.seeds import compare_seeds, seeds_json, seeds_lines
from training.evaluation.subgroups import subgroup_reports
from training.evaluation.tuning import check_disjoint, youden_thresholds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, data, and how far the report goes."""
    add_model_arguments(parser, "folder of a bundle, or a checkpoint; of several the mean of their AUROCs", "+")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="packed images")
    parser.add_argument("--split", choices=SPLITS, default="val", help="rows that are scored (all, where unsplit)")
    parser.add_argument("--complete", action="store_true", help="only rows with a known label for every finding")
    parser.add_argument("--against", type=Path, metavar="OTHER", nargs="+", help="other models, on the same images")
    parser.add_argument("--subgroups", action="store_true", help="tables by source, sex, age and view")
    cuts = parser.add_mutually_exclusive_group()
    cuts.add_argument(
        "--thresholds-from", choices=SPLITS, metavar="SPLIT", help="choose thresholds (Youden) on another split"
    )
    cuts.add_argument("--threshold-set", metavar="NAME", help="a bundle's set, in place of the one in force")
    parser.add_argument("--merge", action="store_true", help="covidx: count 'positive' as pneumonia")


def run(options: argparse.Namespace) -> bool:
    """Print the report, and write it where --json says."""
    dataset, others = data_of(options), options.against or []
    subjects = [open_model(path, options, dataset) for path in options.model]
    subject = subjects[0]
    title = subject.title if len(subjects) == 1 else f"{len(subjects)} models"
    print(f"{title} on {options.data.name}, {dataset.describe_split(options.split)}")
    rows = _rows(dataset, subject, options.split, complete=options.complete)
    for path in (*options.model, *others):
        if (reason := why_flattered(path, rows, dataset.name, options.split)) is not None:
            print(f"WARNING: {path}: {reason}: what follows flatters it.")
    content: dict[str, Json] = {
        "data": {"dataset": dataset.name, "split": options.split, "complete_rows_only": options.complete},
        "bootstrap": {"resamples": options.resamples, "seed": options.seed},
    }
    if len(subjects) > 1 or len(others) > 1:
        content |= _several(subjects, dataset, rows, options)
    else:
        content["model"] = subject.as_json()
        content |= (_exclusive if dataset.is_exclusive else _findings)(subject, dataset, rows, options)
    if options.json is not None:
        write_json(content, options.json)
    return True


def _findings(subject: Subject, dataset: Dataset, rows: Sequence[Row], options: argparse.Namespace) -> dict[str, Json]:
    if options.merge:
        raise ValueError(f"--merge is for exclusive classes; {dataset.name} has none")
    files, patients = [row.file for row in rows], [row.patient for row in rows]
    draws = {"num_resamples": options.resamples, "seed": options.seed}
    thresholds = _named(subject, options.threshold_set) or _tuned(subject, dataset, rows, options)
    scores = score(subject.model, files, options.cache)
    labels = label_matrix(rows, scores.findings)
    report = findings_report(scores, labels, patients, thresholds or scores.thresholds, **draws)
    _print(f"{report.num_images} images of {report.num_patients} patients; {_draws(options)}.")
    _print(*findings_lines(report))
    _print(*operating_lines(report))
    content = {"report": findings_json(report)}
    if options.subgroups:
        groups = subgroup_reports(rows, scores, labels, **draws)
        _print(*subgroup_lines(groups))
        content["subgroups"] = subgroups_json(groups)
    if options.against is not None:
        other = open_model(options.against[0], options, dataset)
        comparison = compare(scores, score(other.model, files, options.cache), labels, patients, **draws)
        _print(*comparison_lines(comparison, subject.title, other.title))
        content["against"] = {"model": other.as_json(), "comparison": comparison_json(comparison)}
    return content


def _several(
    subjects: Sequence[Subject], dataset: Dataset, rows: Sequence[Row], options: argparse.Namespace
) -> dict[str, Json]:
    if dataset.is_exclusive or options.merge:
        raise ValueError("several models are compared by findings, not by exclusive classes")
    if options.subgroups or options.thresholds_from or options.threshold_set:
        raise ValueError("--subgroups, --thresholds-from and --threshold-set are for one model")
    others = [open_model(path, options, dataset) for path in options.against or ()]
    files, patients = [row.file for row in rows], [row.patient for row in rows]
    first, second = ([score(one.model, files, options.cache) for one in side] for side in (subjects, others))
    draws = {"num_resamples": options.resamples, "seed": options.seed}
    comparison = compare_seeds(first, second, label_matrix(rows, first[0].findings), patients, **draws)
    _print(f"{len(rows)} images of {len(set(patients))} patients; {_draws(options)}.")
    _print(*seeds_lines(comparison, *([one.title for one in side] for side in (subjects, others))))
    models: list[Json] = [one.as_json() for one in subjects]
    return {"models": models, "against": [one.as_json() for one in others], "comparison": seeds_json(comparison)}


def _exclusive(subject: Subject, dataset: Dataset, rows: Sequence[Row], options: argparse.Namespace) -> dict[str, Json]:
    if options.against or options.subgroups or options.thresholds_from or options.threshold_set:
        raise ValueError(
            "--against, --subgroups, --thresholds-from and --threshold-set are for findings; "
            f"{dataset.name} has classes"
        )
    if subject.model.findings != dataset.findings:
        raise ValueError(f"{subject.model.name} does not have the classes {', '.join(dataset.findings)}")
    scores = score(subject.model, [row.file for row in rows], options.cache)
    labels = label_matrix(rows, dataset.findings).argmax(axis=1)
    resampling = Resampling.by_patient([row.patient for row in rows], options.resamples, options.seed)
    report = exclusive_report(
        dataset.findings, labels, scores.logits, resampling, COVIDX_MERGE if options.merge else {}
    )
    _print(f"{len(rows)} images of {resampling.counts.shape[1]} patients; {_draws(options)}.")
    _print(*exclusive_lines(report))
    return {"report": exclusive_json(report)}


def _named(subject: Subject, name: str | None) -> Thresholds | None:
    if name is None:
        return None
    if not isinstance(subject.model, BundleModel):
        raise ValueError(f"--threshold-set: {subject.model.name} is no bundle, and has none")  # noqa: TRY004  # the caller's mistake
    return subject.model.threshold_set(name)


def _tuned(subject: Subject, dataset: Dataset, rows: Sequence[Row], options: argparse.Namespace) -> Thresholds | None:
    if options.thresholds_from is None:
        return None
    others = _rows(dataset, subject, options.thresholds_from, complete=options.complete)
    check_disjoint(others, rows)
    origin = f"split {options.thresholds_from} (Youden, {len(others)} images)"
    return youden_thresholds(others, score(subject.model, [row.file for row in others], options.cache), origin)


def _rows(dataset: Dataset, subject: Subject, split: str, *, complete: bool) -> list[Row]:
    """Rows of a split that say something of the model's findings; how many do not is printed."""
    wanted = frozenset(subject.model.findings)
    rows = dataset.split(split)
    if not rows:
        raise DataError(f"{dataset.name} has no rows of split {split}")
    kept = [row for row in rows if (wanted <= row.known if complete else wanted & row.known)]
    if not kept:
        raise DataError(f"{dataset.name}: none of {len(rows)} rows of split {split} has the labels that are needed")
    if len(kept) < len(rows):
        reason = "lack a known label" if complete else "say nothing of these findings"
        print(f"{len(rows) - len(kept)} of {len(rows)} rows of split {split} {reason}: not scored.")
    if partial := sum(not wanted <= row.known for row in kept):
        print(f"{partial} rows know some findings only and may bring positives without negatives: see --complete.")
    if repeated := len(kept) - len({row.file for row in kept}):
        print(f"{repeated} rows name a file that another row names, too: it counts as often.")
    return kept


def _draws(options: argparse.Namespace) -> str:
    return f"intervals from {options.resamples} bootstrap draws of patients, seed {options.seed}"


def _print(*lines: str) -> None:
    """One section, an empty line before it; nothing at all for nothing."""
    if lines:
        print("", *lines, sep="\n")
