"""How often boxes are found: per finding and pooled, beside boxes that never looked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.boxes import LabelledBox
from training.evaluation.bootstrap import Resampling, interval
from training.evaluation.box_precision import Precision, count_hits
from training.evaluation.boxed import Case, overlap
from training.evaluation.control_boxes import centred_box, mean_size, random_boxes, usual_box

IOU_THRESHOLDS = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7)
MODEL, CENTRED, RANDOM, USUAL = "model", "centred box", "random box", "usual box"
JUDGED_BY = (CENTRED, USUAL)  # the model is compared with them, paired
_PLACEMENTS = 100  # of the random box; its numbers are means over them


@dataclass(frozen=True, slots=True)
class Detection:
    """One way of drawing boxes on some cases.

    Attributes:
        boxes: cases for which a box was drawn: tp + fp.
        mean_iou: over all cases, one without a box counting 0.
        precision: by the IoU that a true positive exceeds, for `IOU_THRESHOLDS`.
    """

    boxes: int
    mean_iou: float
    precision: Mapping[float, Precision]


@dataclass(frozen=True, slots=True)
class FindingLocalisation:
    """One finding, or all.

    Attributes:
        finding: its name; None for all findings pooled.
        cases: radiologists' boxes.
        patients: whose they are.
        size: mean area of these boxes, as a share of the picture.
        by: `MODEL`, `CENTRED`, `RANDOM` and `USUAL` to what each reached.
    """

    finding: str | None
    cases: int
    patients: int
    size: float
    by: Mapping[str, Detection]


@dataclass(frozen=True, slots=True)
class LocalisationReport:
    """Everything a localisation says.

    Attributes:
        findings: those that have a case, in the order they came in, then all pooled.
        advantage: by control of `JUDGED_BY` and IoU, pooled precision of the model minus the control's, paired over
            patients.
    """

    findings: tuple[FindingLocalisation, ...]
    advantage: Mapping[str, Mapping[float, Precision]]


def localisation_report(
    cases: Sequence[Case],
    found: NDArray[np.float64],
    boxes: Sequence[LabelledBox],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> LocalisationReport:
    """Count hits of the model and of the controls.

    Args:
        cases: N, at least one.
        found: (N,) IoU of the model's box, NaN where it drew none.
        boxes: all published boxes; sizes and places of the controls come from those of other patients.
        num_resamples: bootstrap draws of patients.
        seed: of the bootstrap and of the random boxes.
    """
    drawn = {MODEL: found[:, None], **_controls(cases, boxes, np.random.default_rng(seed))}
    patients = [case.row.patient for case in cases]
    names = dict.fromkeys(case.label.finding for case in cases)
    groups = {name: [i for i, case in enumerate(cases) if case.label.finding == name] for name in names}
    rows = [_row(name, cases, drawn, places, num_resamples, seed) for name, places in groups.items()]
    rows.append(_row(None, cases, drawn, list(range(len(cases))), num_resamples, seed))
    resampling = Resampling.by_patient(patients, num_resamples, seed)
    advantage = {kind: _advantage(rows[-1], drawn, kind, resampling) for kind in JUDGED_BY}
    return LocalisationReport(tuple(rows), advantage)


def _advantage(
    pooled: FindingLocalisation, drawn: Mapping[str, NDArray[np.float64]], control: str, resampling: Resampling
) -> dict[float, Precision]:
    model, other = (count_hits(drawn[kind], IOU_THRESHOLDS, resampling) for kind in (MODEL, control))
    leads = model.draws - other.draws
    advantage = {}
    for place, threshold in enumerate(IOU_THRESHOLDS):
        values = [pooled.by[kind].precision[threshold].value for kind in (MODEL, control)]
        difference = None if values[0] is None or values[1] is None else values[0] - values[1]
        advantage[threshold] = Precision(difference, interval(leads[:, place]))
    return advantage


def _controls(
    cases: Sequence[Case], boxes: Sequence[LabelledBox], generator: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    centred, usual = np.full((2, len(cases), 1), np.nan)
    placed = np.full((len(cases), _PLACEMENTS), np.nan)
    for i, case in enumerate(cases):
        if (size := mean_size(case.label, boxes)) is not None:
            centred[i] = overlap(centred_box(size), case.label.box)
            placed[i] = [overlap(box, case.label.box) for box in random_boxes(size, _PLACEMENTS, generator)]
        if (box_there := usual_box(case.label, boxes)) is not None:
            usual[i] = overlap(box_there, case.label.box)
    return {CENTRED: centred, RANDOM: placed, USUAL: usual}


def _row(
    finding: str | None,
    cases: Sequence[Case],
    drawn: Mapping[str, NDArray[np.float64]],
    places: Sequence[int],
    num_resamples: int,
    seed: int,
) -> FindingLocalisation:
    patients = [cases[place].row.patient for place in places]
    resampling = Resampling.by_patient(patients, num_resamples, seed)
    return FindingLocalisation(
        finding=finding,
        cases=len(places),
        patients=len(set(patients)),
        size=float(np.mean([cases[place].label.box.area for place in places])),
        by={kind: _detection(found[places], resampling) for kind, found in drawn.items()},
    )


def _detection(found: NDArray[np.float64], resampling: Resampling) -> Detection:
    hits = count_hits(found, IOU_THRESHOLDS, resampling)
    return Detection(
        boxes=hits.boxes,
        mean_iou=float(np.nan_to_num(found).mean()),
        precision={threshold: hits.precision(place) for place, threshold in enumerate(IOU_THRESHOLDS)},
    )
