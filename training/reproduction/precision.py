"""AP of Grad-CAM's boxes against radiologists', as table 7 defines it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import chestxray14, manifest
from training.data.boxes import LabelledBox, read_boxes
from training.data.dataset import DataError
from training.data.tables import last_of
from training.evaluation.bootstrap import Resampling
from training.evaluation.box_precision import Precision, count_hits
from training.evaluation.boxed import Case, cases_of, published_names
from training.evaluation.localisation import MAP_THRESHOLDS, leave_one_patient_out, overlaps
from training.evaluation.maps import ClosedFormMaps
from training.evaluation.network_model import NetworkModel
from training.reproduction.judges import Judges

RESAMPLES, SEED = 1000, 0

_BOXES = "BBox_List_2017*.csv"


@dataclass(frozen=True, slots=True)
class Found:
    """What a network's maps find.

    Attributes:
        cases: N radiologists' boxes.
        overlaps: (N,) intersection over union of each with the box of the map; NaN where the map is flat.
    """

    cases: tuple[Case, ...]
    overlaps: NDArray[np.float64]


def find_boxes(model: NetworkModel, judges: Judges) -> Found:
    """Box the maps of the judging images.

    The map's threshold is not in the paper. Here it is the one with the best overlap over the boxes of all other
    patients, one for all findings.

    Raises:
        DataError: there are no boxes on these images.
        ValueError: they are all of one patient.
    """
    cases = boxed_cases(judges)
    every = overlaps(cases, model.findings, model.contract, ClosedFormMaps(model), MAP_THRESHOLDS)
    chosen = leave_one_patient_out(every, [case.row.patient for case in cases])
    return Found(tuple(cases), every[np.arange(len(cases)), chosen])


def box_precision(found: Found, finding: str | None, least_overlap: float) -> tuple[Precision, int, int]:
    """AP at an overlap, of how many boxes that were drawn, of how many that radiologists drew.

    Args:
        found: of one network.
        finding: whose boxes count; None for all.
        least_overlap: intersection over union above which a box hits.
    """
    counted = np.array([finding in (None, case.label.finding) for case in found.cases])
    patients = [case.row.patient for case, counts in zip(found.cases, counted, strict=True) if counts]
    if not patients:
        return Precision(None, None), 0, 0
    resampling = Resampling.by_patient(patients, RESAMPLES, SEED)
    hits = count_hits(found.overlaps[counted, None], (least_overlap,), resampling)
    return hits.precision(0), hits.boxes, len(patients)


def boxed_cases(judges: Judges) -> list[Case]:
    """Radiologists' boxes on the judging images.

    Raises:
        DataError: there are none.
    """
    dataset = judges.dataset
    root = dataset.lists[0].parent
    cases = cases_of(judges.rows, published_names(dataset), _boxes(dataset.name, root))
    if not cases:
        raise DataError(f"{dataset.name}: no radiologist's box lies on an image of split {judges.split}")
    return cases


def _boxes(name: str, root: Path) -> tuple[LabelledBox, ...]:
    """Of ChestX-ray14 beside its metadata, of a manifest also in the folder `labels`."""
    places = {chestxray14.NAME: (root,), manifest.NAME: (root, root / "labels")}.get(name, ())
    found = (last_of(place, _BOXES) for place in places)
    return next((read_boxes(path) for path in found if path is not None), ())
