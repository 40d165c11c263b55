"""Figure 4: Grad-CAM of each network beside radiologists' boxes."""

import numpy as np
from matplotlib.figure import Figure

from models.imaging.heatmap import saliency_map
from models.imaging.overlay import overlay
from training.evaluation.boxed import in_model_space, square_input
from training.recipes.table import PaperRow, Released
from training.recipes.types import UnlabelledRecipe
from training.reproduction.canvas import canvas, show
from training.reproduction.precision import boxed_cases
from training.reproduction.tested import Tested
from training.reproduction.workshop import Workshop

NUM = 6


def draw(rows: list[PaperRow], workshop: Workshop) -> Figure:
    """For each case a line: the radiograph with the box, then each network's map over it.

    Cases are the first of each finding that has boxes, not those that succeed.

    Raises:
        DataError: there are no boxes on the images at hand.
    """
    drawn = [
        (row.label, Tested(row.recipe, workshop))
        for row in rows
        if not isinstance(row.recipe, UnlabelledRecipe | Released)
    ]
    judges = drawn[0][1].judges
    by_finding = {case.label.finding: case for case in reversed(boxed_cases(judges))}
    cases = [by_finding[name] for name in sorted(by_finding)][:NUM]
    figure, axes = canvas(len(cases), 1 + len(drawn), f"Grad-CAM beside radiologists' boxes\n{judges.text}")
    for column, (label, one) in enumerate(drawn, start=1):
        for line, case in enumerate(cases):
            prepared = square_input(case.row.file, one.model.contract)
            box = in_model_space(case.label.box, prepared.letterbox)
            grid = one.model.saliency(prepared.image[None])[0, one.model.findings.index(case.label.finding)]
            show(axes[line, column], overlay(prepared.image, saliency_map(grid, prepared.letterbox), [box]))
            if column == 1:
                nothing = np.zeros(prepared.image.shape, np.float32)
                show(axes[line, 0], overlay(prepared.image, nothing, [box]), case.label.finding)
        axes[0, column].set_title(label, fontsize=8)
    return figure
