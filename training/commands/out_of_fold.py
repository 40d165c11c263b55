"""`out-of-fold`: what scores out of fold are worth, and how far those of one network or committee lead another's."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.commands.numbers import add_bootstrap_arguments, add_json_argument, write_json
from training.evaluation.bootstrap import Resampling
from training.evaluation.comparison import compare
from training.evaluation.report import findings_report
from training.evaluation.report_json import Json, comparison_json, findings_json
from training.evaluation.report_text import comparison_lines, findings_lines
from training.evaluation.scores import Scores
from training.evaluation.within_folds import Beside, beside, beside_lines
from training.out_of_fold import OUT_OF_FOLD, SUMMARY, OutOfFold, joint_scores, read_out_of_fold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Runs of `crossval`, and what they are compared with."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of crossval; of several the mean")
    parser.add_argument("--against", type=Path, nargs="+", metavar="RUN", help="others, on the same images")
    add_bootstrap_arguments(parser)
    add_json_argument(parser)


def run(options: argparse.Namespace) -> bool:
    """Print AUROC by finding and, with --against, the paired differences; write them where --json says."""
    tables = _tables([*options.runs, *(options.against or ())])
    outcome, draws = _joint(tables, options.runs), {"num_resamples": options.resamples, "seed": options.seed}
    title = _title(options.runs)
    report = findings_report(_scores(outcome), outcome.labels, outcome.patients, None, **draws)
    print(f"{title}, out of fold: {report.num_images} images of {report.num_patients} patients; ", end="")
    print(f"intervals from {options.resamples} bootstrap draws of patients, seed {options.seed}.\n")
    print(*findings_lines(report), sep="\n")
    compared = [outcome]
    content: dict[str, Json] = {"runs": [str(one) for one in options.runs], "report": findings_json(report)}
    if options.against is not None:
        other = outcome.aligned(_joint(tables, options.against))
        comparison = compare(_scores(outcome), _scores(other), outcome.labels, outcome.patients, **draws)
        compared.append(other)
        print("", *comparison_lines(comparison, title, _title(options.against)), sep="\n")
        content["against"] = {
            "runs": [str(one) for one in options.against],
            "comparison": comparison_json(comparison),
        }
    content["pooled_and_within_folds"] = _within_folds(compared, options)
    if options.json is not None:
        write_json(content, options.json)
    return True


def _tables(folders: Sequence[Path]) -> dict[Path, OutOfFold]:
    """The scores in each folder; refuses one that holds none, and scores of other images, with how many each has."""
    for folder in folders:
        if not (folder / OUT_OF_FOLD).is_file():
            raise ValueError(f"{folder} is no folder of crossval: it holds no {OUT_OF_FOLD}")
    tables = {folder: read_out_of_fold(folder / OUT_OF_FOLD) for folder in folders}
    files = {folder: frozenset(table.files) for folder, table in tables.items()}
    if len(set(files.values())) > 1:
        (first, names), *others = files.items()
        counts = ", ".join([f"{first} has {len(names)} images", *(f"{one} has {len(its)}" for one, its in others)])
        common = len(frozenset.intersection(*files.values()))
        raise ValueError(f"scores that are laid together are of the same images: {counts}, {common} in common")
    return tables


def _joint(tables: Mapping[Path, OutOfFold], folders: Sequence[Path]) -> OutOfFold:
    """Of one committee: the mean of its members' logits, each of them by its mean over seeds."""
    return joint_scores([tables[folder] for folder in folders])


def _scores(outcome: OutOfFold) -> Scores:
    return Scores(outcome.findings, outcome.mean_logits)


def _within_folds(outcomes: Sequence[OutOfFold], options: argparse.Namespace) -> Json:
    """Printed; of one, or of two and their difference, on the same images in the same order."""
    scored = [(one.mean_logits, one.folds) for one in outcomes if one.folds is not None]
    if len(scored) < len(outcomes):
        print(f"\nNo AUROC within folds: there is a {OUT_OF_FOLD} without folds, and no {SUMMARY} beside it.")
        return None
    resampling = Resampling.by_patient(outcomes[0].patients, options.resamples, options.seed)
    numbers = beside(outcomes[0].labels, scored, resampling)
    print("", *beside_lines(numbers), sep="\n")
    return {name: _beside(one) for name, one in zip(("a", "b", "difference"), numbers, strict=False)}


def _beside(numbers: Beside) -> Json:
    return {"pooled": numbers.pooled.as_json(), "within_folds": numbers.within.as_json()}


def _title(folders: Sequence[Path]) -> str:
    return " + ".join(map(str, folders))
