"""`stability`: how far a bundle's probabilities move when a picture is changed in ways that mean nothing."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from training.commands.numbers import add_bootstrap_arguments, write_json
from training.commands.served import (
    add_bundle_arguments,
    add_data_arguments,
    add_row_arguments,
    bundle_folder,
    findings_of,
    rows_of,
)
from training.evaluation.bootstrap import Resampling
from training.evaluation.bundle_model import BundleModel
from training.evaluation.perturbations import Pixels
from training.evaluation.report_json import Json
from training.evaluation.stability import (
    GOAL,
    PNG_OF_DICOM,
    TWIN,
    Change,
    change,
    changes,
    paired_probabilities,
    perturbed_probabilities,
    with_png,
    with_twins,
)
from training.evaluation.stability_text import stability_json, stability_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Bundle, data, further files, and where the report goes."""
    add_bundle_arguments(parser)
    add_data_arguments(parser)
    add_row_arguments(parser)
    add_bootstrap_arguments(parser)
    parser.add_argument("--dicom", type=Path, nargs="+", default=[], metavar="FILE", help="compared with a PNG of each")
    parser.add_argument(
        "--twins",
        type=Path,
        nargs="+",
        action="append",
        default=[],
        metavar="FILE",
        help="files of one picture, losslessly encoded: all are compared with the first; may be given several times",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write stability.md and stability.json there")


def run(options: argparse.Namespace) -> bool:
    """Print the report; False where the same pixels in another encoding got another answer."""
    if any(len(group) < 2 for group in options.twins):
        raise ValueError("--twins takes two files or more: the first is what the others are compared with")
    model = BundleModel(bundle_folder(options.bundle), threads=options.threads)
    rows = rows_of(findings_of(options), options.split, model.findings if options.complete else (), options.limit)
    patients = [row.patient for row in rows]
    resampling = Resampling.by_patient(patients, options.resamples, options.seed)
    report = changes(model, perturbed_probabilities(model, [row.file for row in rows]), resampling)
    report += _of_pairs(PNG_OF_DICOM, model, with_png(options.dicom), options)
    report += _of_pairs(TWIN, model, with_twins(options.twins), options)

    title = f"{model.name} (sha256 {(model.sha256 or 'unknown')[:12]}) on {options.data.name}, split {options.split}"
    draws = f"intervals from {options.resamples} bootstrap draws of patients, seed {options.seed}"
    lines = [title, "", f"{len(rows)} images of {len(set(patients))} patients; {draws}.", "", *stability_lines(report)]
    print(*lines, sep="\n")
    if options.out is not None:
        content: dict[str, Json] = {
            "model": {"name": model.name, "sha256": model.sha256},
            "data": {"dataset": options.dataset, "split": options.split, "complete_rows_only": options.complete},
            "images": len(rows),
            "patients": len(set(patients)),
            "bootstrap": {"resamples": options.resamples, "seed": options.seed},
            "goal": {"median_by_image_below": GOAL},
            "changes": stability_json(report),
        }
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "stability.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        write_json(content, options.out / "stability.json")
    return not any(row.is_faulty for row in report)


def _of_pairs(
    name: str, model: BundleModel, pairs: Sequence[tuple[Pixels, Pixels]], options: argparse.Namespace
) -> list[Change]:
    """A row for pairs whose pixels have to be the same; none without pairs. Each pair is its own patient."""
    if not pairs:
        return []
    resampling = Resampling.by_patient([str(place) for place in range(len(pairs))], options.resamples, options.seed)
    before, after = paired_probabilities(model, pairs)
    return [change(name, model, (before, after), resampling, is_lossless=True)]
