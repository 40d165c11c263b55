"""`localize`: do the heat maps of a bundle or a checkpoint lie where radiologists drew boxes?"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.commands.model import add_model_arguments, data_of, open_model
from training.commands.numbers import write_json
from training.data.boxes import LabelledBox, read_boxes
from training.data.dataset import SPLITS, DataError, Dataset
from training.evaluation.boxed import Case, cases_of, published_names
from training.evaluation.localisation import MAP_THRESHOLDS, leave_one_patient_out, overlaps
from training.evaluation.localisation_report import localisation_report
from training.evaluation.localisation_text import localisation_json, localisation_lines
from training.evaluation.maps import ClosedFormMaps, GradcamMaps, MapSource
from training.evaluation.network_model import NetworkModel
from training.evaluation.report_json import Json
from training.evaluation.scores import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, data, boxes, and how a map becomes a box."""
    add_model_arguments(parser)
    parser.add_argument("--boxes", type=Path, required=True, help="BBox_List_2017.csv of ChestX-ray14")
    parser.add_argument("--split", choices=SPLITS, help="only boxes on images of this split; default all")
    parser.add_argument(
        "--maps", choices=["graph", "gradcam"], default="graph", help="closed form, or pytorch-grad-cam"
    )
    parser.add_argument(
        "--threshold",
        type=_share,
        metavar="T",
        help="of the scaled map, in [0, 1); without it one is chosen for each patient on all others",
    )


def run(options: argparse.Namespace) -> bool:
    """Print the report, and write it where --json says."""
    dataset, boxes = data_of(options), read_boxes(options.boxes)
    subject = open_model(options.model, options, dataset)
    print(f"{subject.title} on {options.data.name}, boxes of {options.boxes.name}")
    cases = _cases(dataset, boxes, subject.model, options)
    source = _source(subject.model, options.maps)
    thresholds = MAP_THRESHOLDS if options.threshold is None else (options.threshold,)
    found = overlaps(cases, subject.model.findings, subject.model.contract, source, thresholds)
    if options.threshold is None:
        chosen = leave_one_patient_out(found, [case.row.patient for case in cases])
        values = sorted({thresholds[place] for place in chosen})
        origin = f"{' or '.join(map(str, values))}, for each patient the one that is best on all others"
    else:
        chosen, values = np.zeros(len(cases), np.int64), [options.threshold]
        origin = f"{options.threshold}, as given"
    draws = {"num_resamples": options.resamples, "seed": options.seed}
    report = localisation_report(cases, found[np.arange(len(cases)), chosen], boxes, **draws)
    print(f"Maps: {source.name}; map threshold {origin}.")
    print(f"Intervals from {options.resamples} bootstrap draws of patients, seed {options.seed}.", end="\n\n")
    print(*localisation_lines(report), sep="\n")
    if options.json is not None:
        content: dict[str, Json] = {
            "model": subject.as_json(),
            "maps": source.name,
            "map_thresholds": [*values],
            "map_threshold_is_given": options.threshold is not None,
            "bootstrap": {"resamples": options.resamples, "seed": options.seed},
            "report": localisation_json(report),
        }
        write_json(content, options.json)
    return True


def _cases(dataset: Dataset, boxes: Sequence[LabelledBox], model: Model, options: argparse.Namespace) -> list[Case]:
    """Boxes at hand whose finding the model knows; what is left out is counted."""
    rows = dataset.rows if options.split is None else dataset.split(options.split)
    at_hand = cases_of(rows, published_names(dataset), boxes)
    cases = [case for case in at_hand if case.label.finding in model.findings]
    if not cases:
        raise DataError(f"none of the {len(boxes)} boxes lies on an image of {options.data.name}")
    splits = Counter(case.row.split or "none" for case in cases)
    said = ", ".join(f"{splits[name]} of split {name}" for name in sorted(splits))
    print(f"{len(cases)} of {len(boxes)} boxes lie on images at hand: {said}.")
    if len(cases) < len(at_hand):
        print(f"{len(at_hand) - len(cases)} more are of findings that the model does not have: left out.")
    return cases


def _source(model: Model, maps: str) -> MapSource:
    if maps == "graph":
        return ClosedFormMaps(model)
    if not isinstance(model, NetworkModel):
        raise ValueError("pytorch-grad-cam needs the network: give a checkpoint, or --maps graph")  # noqa: TRY004  # a mistake of the caller's, said in one line
    return GradcamMaps(model)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1)")
    return value
