"""Weakly supervised localisation by the rule of arXiv:2210.12843, section 5.3.

Heat map of the finding -> threshold -> largest connected region -> the box round it; then IoU with the radiologist's
box. AP at an IoU is tp / (tp + fp) over the boxes that were drawn, as the paper defines it: a case whose map is flat
has no box and is neither, which is why the number of boxes stands beside.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.imaging.geometry import Box
from models.imaging.heatmap import largest_box
from models.imaging.preprocess import InputContract, ModelInput
from training.evaluation.boxed import Case, overlap, square_input
from training.evaluation.maps import MapSource

MAP_THRESHOLDS = tuple(step / 20 for step in range(20))  # what a search looks at; above 0 is whatever the map lights
_BATCH = 16


def predicted_box(scaled: NDArray[np.float32], one: ModelInput, threshold: float) -> Box | None:
    """Box round the largest region above a threshold, as shares of the picture; None where nothing is above it.

    Args:
        scaled: (S, S) map in [0, 1] in model space.
        one: the picture it was drawn for.
    """
    box = largest_box(scaled, threshold)
    if box is None:
        return None
    placement = one.letterbox
    source = placement.box_to_image(box)
    height, width = placement.height, placement.width
    return Box(source.top / height, source.left / width, source.bottom / height, source.right / width)


def overlaps(
    cases: Sequence[Case],
    findings: Sequence[str],
    contract: InputContract,
    source: MapSource,
    thresholds: Sequence[float],
) -> NDArray[np.float64]:
    """IoU of every case at every map threshold: (N, T), NaN where there is no box.

    Args:
        cases: boxes to be found; their findings are among `findings`.
        findings: the model's, in the order of its outputs.
        contract: how the model sees a picture.
        source: of the maps.
        thresholds: T cuts of the scaled map.

    Raises:
        DataError: a picture does not decode, or is not the square one that the boxes were drawn on.
    """
    found = np.full((len(cases), len(thresholds)), np.nan)
    with tqdm(total=len(cases), desc=f"maps ({source.name})", unit="box", delay=1) as bar:
        for start in range(0, len(cases), _BATCH):
            batch = cases[start : start + _BATCH]
            inputs = [square_input(case.row.file, contract) for case in batch]
            maps = source.draw(inputs, [findings.index(case.label.finding) for case in batch])
            for place, case in enumerate(batch):
                boxes = [predicted_box(maps[place], inputs[place], threshold) for threshold in thresholds]
                found[start + place] = [np.nan if box is None else overlap(box, case.label.box) for box in boxes]
            bar.update(len(batch))
    return found


def leave_one_patient_out(found: NDArray[np.float64], patients: Sequence[str]) -> NDArray[np.int64]:
    """For each case the threshold with the largest mean IoU over all other patients' cases; no box counts 0.

    One threshold for all findings: a threshold of its own for a finding with two boxes would be chosen by one of them.

    Args:
        found: (N, T) of `overlaps`.
        patients: N identifiers.

    Returns:
        (N,) places in T, the same for all cases of a patient.

    Raises:
        ValueError: there is only one patient.
    """
    if len(set(patients)) < 2:
        raise ValueError("a map threshold is chosen on other patients, and there is only one: give it")
    filled, names = np.nan_to_num(found), np.array(patients, np.str_)
    chosen = np.empty(len(found), np.int64)
    for name in set(patients):
        own = names == name
        chosen[own] = np.argmax(filled[~own].mean(axis=0))
    return chosen
