"""`figures`: curves and pictures of a bundle, drawn from what it serves."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.runtime.bundle import Bundle, load_bundle
from training.commands.numbers import add_bootstrap_arguments, positive
from training.commands.served import add_bundle_arguments, add_data_arguments, bundle_folder, findings_of, rows_of
from training.data.boxes import read_boxes
from training.data.dataset import SPLITS, DataError, Dataset, Row, label_matrix
from training.evaluation.boxed import cases_of, published_names
from training.evaluation.bundle_model import BundleModel
from training.evaluation.scores import score
from training.figures.curves import Scored, draw_calibration, draw_roc
from training.figures.paintings import draw_anomalies, draw_reconstructions
from training.figures.saliency import draw_saliency
from training.figures.subjects import PHANTOMS, Subject, of_cases, of_findings, of_rows, phantoms

CURVES = ("roc", "calibration")
PICTURES = ("reconstructions", "anomalies", "saliency")
RESEARCH = "research use only"

_DPI = 150


@dataclass(frozen=True, slots=True)
class Material:
    """What is drawn from.

    Attributes:
        bundle: opened.
        model: its classifier.
        dataset: None for phantoms.
        rows: of the split, with a known label for every finding; none for phantoms.
        options: of the command line.
        scored: the rows, where a curve is wanted and there are any.
    """

    bundle: Bundle
    model: BundleModel
    dataset: Dataset | None
    rows: list[Row]
    options: argparse.Namespace
    scored: Scored | None = None

    @property
    def title(self) -> str:
        """Of every figure: the bundle, where the pictures come from, what they are for."""
        origin = PHANTOMS
        if self.dataset is not None:
            origin = f"{self.options.data.name}, {self.dataset.describe_split(self.options.split)}"
        return f"{self.model.name}\n{origin}; {RESEARCH}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Bundle, data, which figures, and where they go."""
    add_bundle_arguments(parser)
    add_data_arguments(parser, is_needed=False)
    add_bootstrap_arguments(parser)
    parser.add_argument("--split", choices=SPLITS, default="val", help="rows that are used (all, where unsplit)")
    parser.add_argument("--boxes", type=Path, help="BBox_List_2017.csv of ChestX-ray14, for the saliency maps")
    parser.add_argument("--only", nargs="+", choices=[*CURVES, *PICTURES], help="these figures; default: all")
    parser.add_argument("--num", type=positive, default=4, metavar="N", help="pictures a figure")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="packed images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="one PNG a figure")


def run(options: argparse.Namespace) -> bool:
    """Draw what can be drawn and say what cannot; without data the pictures show phantoms, and there are no curves."""
    wanted = options.only or [*CURVES, *PICTURES]
    folder = bundle_folder(options.bundle)
    bundle, model = load_bundle(folder), BundleModel(folder, threads=options.threads)
    dataset = None if options.data is None else findings_of(options)
    rows = [] if dataset is None else rows_of(dataset, options.split, _known(model, dataset), None)
    material = Material(bundle, model, dataset, rows, options)
    if rows and set(CURVES).intersection(wanted):
        material = replace(material, scored=_scored(material))
    options.out.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        if reason := _missing(name, material):
            print(f"{name}: not drawn, {reason}")
            continue
        path = options.out / f"{name}.png"
        _DRAW[name](material).savefig(path, dpi=_DPI, metadata={"Software": None})
        print(f"{name}: {path}")
    return True


def _missing(name: str, material: Material) -> str:
    """Why a figure cannot be drawn; empty where it can."""
    if name in CURVES and material.scored is None:
        return "it needs --data"
    if name in ("reconstructions", "anomalies") and material.bundle.manifest.reconstructor is None:
        return "the bundle has no reconstructor"
    if name == "saliency" and material.dataset is not None and material.options.boxes is None:
        known = frozenset(_known(material.model, material.dataset))
        if not any(known & row.labels for row in material.rows):
            return "no image has a finding"
    return ""


def _known(model: BundleModel, dataset: Dataset) -> list[str]:
    return [name for name in model.findings if name in dataset.findings]


def _scored(material: Material) -> Scored:
    rows, options = material.rows, material.options
    scores = score(material.model, [row.file for row in rows], options.cache)
    labels = np.where(scores.trained, label_matrix(rows, scores.findings), np.float32(np.nan))
    return Scored(
        material.title,
        scores,
        labels,
        [row.patient for row in rows],
        num_resamples=options.resamples,
        seed=options.seed,
    )


def _subjects(material: Material, *, with_findings: bool) -> list[Subject]:
    """Pictures by a rule that does not look at them; half normal where findings are wanted and are there."""
    num, contract = material.options.num, material.model.contract
    if material.dataset is None:
        return phantoms(num, contract)
    normal = [row for row in material.rows if not row.labels]
    found = [row for row in material.rows if row.labels]
    if not (with_findings and normal and found):
        return of_rows(material.rows, num, contract)
    return [*of_rows(normal, num // 2, contract), *of_rows(found, num - num // 2, contract)]


def _for_saliency(material: Material) -> list[Subject]:
    """Boxed cases where there is a list of boxes, else a picture for each of the most frequent findings."""
    options, model = material.options, material.model
    if material.dataset is None:
        return phantoms(options.num, model.contract)
    known = _known(model, material.dataset)
    if options.boxes is None:
        return of_findings(material.rows, known, options.num, model.contract)
    # Boxes are few, and nothing is scored here: any split will do.
    cases = cases_of(material.dataset.rows, published_names(material.dataset), read_boxes(options.boxes))
    cases = [case for case in cases if case.label.finding in known]
    if not cases:
        raise DataError(f"no box of {options.boxes.name} lies on an image of {options.data.name}")
    return of_cases(cases, options.num, model.contract)


def _reconstructions(material: Material) -> Any:  # noqa: ANN401  # a figure of matplotlib, which has its own doors
    subjects = _subjects(material, with_findings=False)
    return draw_reconstructions(material.bundle, subjects, material.title, material.options.threads)


def _anomalies(material: Material) -> Any:  # noqa: ANN401  # likewise
    subjects = _subjects(material, with_findings=True)
    return draw_anomalies(material.bundle, subjects, material.title, material.options.threads)


def _saliency(material: Material) -> Any:  # noqa: ANN401  # likewise
    title = material.title
    if material.options.boxes is not None:
        title = title.replace(f"split {material.options.split}", "any split")
    return draw_saliency(material.model, _for_saliency(material), title)


def _curve(draw: Callable[[Scored], Any], material: Material) -> Any:  # noqa: ANN401  # likewise
    if material.scored is None:
        raise RuntimeError("a curve without data")
    return draw(material.scored)


_DRAW: dict[str, Callable[[Material], Any]] = {
    "roc": lambda material: _curve(draw_roc, material),
    "calibration": lambda material: _curve(draw_calibration, material),
    "reconstructions": _reconstructions,
    "anomalies": _anomalies,
    "saliency": _saliency,
}
