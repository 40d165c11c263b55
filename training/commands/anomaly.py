"""`anomaly`: does a bundle's anomaly map show where anomalies are, and better than what knows nothing?"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.imaging.preprocess import ModelInput
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import Bundle, load_bundle
from models.runtime.manifest import ReconstructorSpec
from models.runtime.session import Session, open_session
from training.anomaly.benchmark import CLEAN, Case, cases, normal_groups
from training.anomaly.boxed import box_cases
from training.anomaly.implants import BENCHMARK_SEED, KINDS, VERSION
from training.anomaly.methods import (
    PRODUCT,
    Draw,
    one_mask_methods,
    product_method,
    shuffled_methods,
    simple_methods,
)
from training.anomaly.report import GroupReport, group_report
from training.anomaly.report_text import group_json, group_lines, whole_json, whole_lines
from training.anomaly.scoring import Group, score_methods
from training.anomaly.whole import complete_rows, whole_report
from training.commands.numbers import add_bootstrap_arguments, add_json_argument, count, positive, write_json
from training.data.boxes import read_boxes
from training.data.dataset import SPLITS, DataError, Dataset, Row
from training.data.manifest import read_folder
from training.data.packed import read_input
from training.evaluation.boxed import cases_of, published_names
from training.evaluation.report_json import Json

_SHOWN = 2  # pictures of a group whose every kind is drawn on a sheet
_DPI = 150
_FEW_PATIENTS = 10  # a smaller group is counted and gets no number, unless it is the only one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Bundle, pictures, how many, seeds."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of a bundle with a reconstructor")
    parser.add_argument("--data", type=Path, required=True, help="manifest CSV; image paths are relative to it")
    parser.add_argument("--split", choices=SPLITS, default="val", help="whose normals get implants; unsplit: all")
    parser.add_argument("--boxes", type=Path, help="BBox_List_2017.csv of ChestX-ray14: real findings besides")
    parser.add_argument("--findings", action="store_true", help="whole pictures with any finding against those without")
    parser.add_argument("--limit", type=count, default=80, metavar="N", help="normals a group; 0 takes all")
    parser.add_argument("--normals", type=count, default=150, metavar="N", help="of train, for controls' references")
    parser.add_argument("--mask-ratio", type=float, default=0.9, metavar="R", help="of the single mask")
    parser.add_argument("--mask-seeds", type=positive, default=10, metavar="N", help="of one mask; their mean counts")
    parser.add_argument("--shuffles", type=positive, default=3, metavar="N", help="of the weights; their mean counts")
    parser.add_argument("--implant-seed", type=int, default=BENCHMARK_SEED, help="other than the benchmark's, to tune")
    add_bootstrap_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="draw sheets of examples there: real pictures")


def run(options: argparse.Namespace) -> bool:
    """Print the report, draw sheets where --out says, write numbers where --json says."""
    bundle, dataset = load_bundle(options.bundle), read_folder(options.data)
    spec = bundle.manifest.reconstructor
    if spec is None:
        raise ValueError(f"{options.bundle} has no reconstructor, and so no anomaly map")
    groups = normal_groups(dataset.rows, options.split, options.limit or None)
    if options.boxes is None and not options.findings and all(_is_small(rows, groups) for rows in groups.values()):
        counted = "; ".join(f"{name}: {_counted(rows)}" for name, rows in groups.items())
        raise DataError(f"{counted}, too few for numbers: give more data, or a larger --limit")
    session = open_session(bundle.files[spec.file], threads=1)
    methods = _methods(bundle, spec, session, dataset, options)
    _print_head(bundle, spec, options)
    content: dict[str, Json] = {
        "model": {"name": bundle.manifest.name, "version": bundle.manifest.version, "sha256": bundle.sha256},
        "generator": {"version": VERSION, "seed": options.implant_seed, "split": options.split},
        "bootstrap": {"resamples": options.resamples, "seed": options.seed},
    }
    for name, rows in groups.items():
        if _is_small(rows, groups):
            print(f"\n{name}: {_counted(rows)}, too few for numbers.")
            continue
        drawn = cases(rows, bundle.manifest.input.contract, options.implant_seed)
        group = score_methods(drawn, len(rows) * (1 + len(KINDS)), methods, spec.patch_size)
        print(f"\nNormals, {name}: {_counted(rows)}, each with every kind of implant.\n")
        content[name] = _reported(group, options)
    if options.boxes is not None:
        boxed = _boxed(dataset, bundle, options)
        group = score_methods(boxed, len(boxed), methods, spec.patch_size)
        content["boxes"] = _reported(group, options)
    if options.findings:
        content["findings"] = _whole(dataset, bundle, methods, options)
    if options.json is not None:
        write_json(content, options.json)
    if options.out is not None:
        _draw(groups, bundle, spec, session, options)
    return True


def _is_small(rows: Sequence[Row], groups: dict[str, list[Row]]) -> bool:
    return len(groups) > 1 and len({row.patient for row in rows}) < _FEW_PATIENTS


def _counted(rows: Sequence[Row]) -> str:
    return f"{len(rows)} pictures of {len({row.patient for row in rows})} patients"


def _methods(
    bundle: Bundle, spec: ReconstructorSpec, session: Session, dataset: Dataset, options: argparse.Namespace
) -> dict[str, Draw]:
    train = normal_groups(dataset.rows, "train", None)
    normals = _prepared(next(iter(train.values()))[: options.normals or None], bundle)
    print(f"References of the controls: {len(normals)} normals of split train.")
    return {
        PRODUCT: product_method(AnomalyDetector.open(bundle, threads=1)),
        **one_mask_methods(session, spec, options.mask_ratio, options.mask_seeds),
        **shuffled_methods(bundle.files[spec.file], bundle.manifest, normals, options.shuffles),
        **simple_methods(normals, bundle.manifest),
    }


def _prepared(rows: Sequence[Row], bundle: Bundle) -> list[ModelInput]:
    contract = bundle.manifest.input.contract
    return [read_input(row.file, contract) for row in rows]


def _boxed(dataset: Dataset, bundle: Bundle, options: argparse.Namespace) -> list[Case]:
    boxes = read_boxes(options.boxes)
    at_hand = cases_of(dataset.rows, published_names(dataset), boxes)
    if not at_hand:
        raise DataError(f"none of the {len(boxes)} boxes lies on an image of {options.data.name}")
    found = box_cases(at_hand, bundle.manifest.input.contract)
    patients, findings = {one.row.patient for one in found}, [one.label.finding for one in at_hand]
    common = max(set(findings), key=findings.count)
    print(
        f"\nReal findings: {len(at_hand)} boxes ({findings.count(common)} of them {common}) on {len(found)} pictures "
        f"of {len(patients)} patients, all splits.\n"
    )
    return found


def _whole(dataset: Dataset, bundle: Bundle, methods: dict[str, Draw], options: argparse.Namespace) -> Json:
    rows = complete_rows(dataset.rows, options.split)
    draws = {"num_resamples": options.resamples, "seed": options.seed}
    report = whole_report(rows, bundle.manifest.input.contract, methods, **draws)
    print(
        f"\nWhole pictures, read for all findings: {report.num_with} with any against {report.num_without} without, "
        f"{report.num_patients} patients; AUROC of a map's mean and of its largest value.\n"
    )
    print(*whole_lines(report), sep="\n")
    return whole_json(report)


def _reported(group: Group, options: argparse.Namespace) -> Json:
    report: GroupReport = group_report(group, num_resamples=options.resamples, seed=options.seed)
    print(*group_lines(report), sep="\n")
    return group_json(report)


def _print_head(bundle: Bundle, spec: ReconstructorSpec, options: argparse.Namespace) -> None:
    manifest = bundle.manifest
    print(f"{manifest.name} {manifest.version} (sha256 {bundle.sha256[:12]}) on {options.data.name}; research use only")
    print(f"Map: K = {spec.default_masks}, one round; all maps smoothed by {spec.smoothing_px} px.")
    if spec.reference is not None:
        print(f"Its references: {spec.reference.count}, {spec.reference.description}.")
    print(f"Implants: generator {VERSION}, seed {options.implant_seed}, split {options.split}.")
    print(f"One mask hides {options.mask_ratio:.0%}: mean over {options.mask_seeds} seeds; weights shuffled ", end="")
    print(f"{options.shuffles} times. Intervals: {options.resamples} bootstrap draws of patients, seed {options.seed}.")


def _draw(
    groups: dict[str, list[Row]], bundle: Bundle, spec: ReconstructorSpec, session: Session, options: argparse.Namespace
) -> None:
    from training.anomaly.figures import draw_maps, draw_reconstructions  # noqa: PLC0415  # matplotlib is slow to import

    options.out.mkdir(parents=True, exist_ok=True)
    detector = AnomalyDetector.open(bundle, threads=1)
    for place, (name, rows) in enumerate(groups.items()):
        shown = list(cases(rows[:_SHOWN], bundle.manifest.input.contract, options.implant_seed))
        clean = [case for case in shown if case.kind == CLEAN]
        draw_maps(shown, detector, name).savefig(options.out / f"maps-{place}.png", dpi=_DPI)
        painted = draw_reconstructions(clean, session, spec.grid, name)
        painted.savefig(options.out / f"reconstructions-{place}.png", dpi=_DPI)
