"""From what the graphs compute to answers about the picture."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.imaging.captions import noted_strips
from models.imaging.gate import GateResult, Verdict
from models.imaging.heatmap import colourise, saliency_map, source_strips
from models.imaging.overlay import overlay_strips
from models.imaging.strips import png_of_strips, row_strips
from models.runtime.anomaly import AnomalyMap
from models.runtime.classifier import Classifier, ClassifierOutput
from models.runtime.manifest import Manifest
from service.inference.answers import FindingAnswer, FindingSaliency, PredictOptions, Saliency
from service.inference.maps import boxes_of, maximum_inside
from service.inference.notes import gate_line
from service.inference.upload import DecodedUpload


def compose_findings(
    classifier: Classifier, output: ClassifierOutput, upload: DecodedUpload, options: PredictOptions, manifest: Manifest
) -> tuple[FindingAnswer, ...]:
    """The answers that `options` asks for, in the bundle's order.

    Args:
        output: of this one image.
        manifest: with the thresholds that are wanted in force.
    """
    probabilities = classifier.probabilities(output.logits)
    positives = classifier.positive(probabilities, np.array([finding.threshold for finding in manifest.findings]))
    threshold = manifest.classifier.map_threshold
    answers = []
    for column, finding in enumerate(manifest.findings):
        if options.findings is not None and finding.name not in options.findings:
            continue
        logit, probability = float(output.logits[0, column]), float(probabilities[0, column])
        if not (math.isfinite(logit) and math.isfinite(probability)):  # not trained, or the graph gave no number
            answers.append(FindingAnswer(finding, None, None, None))
            continue
        positive = bool(positives[0, column])
        grid = None if output.saliency is None else output.saliency[0, column]
        saliency = None if grid is None else _saliency(grid, upload, options, positive=positive, threshold=threshold)
        answers.append(FindingAnswer(finding, logit, probability, positive, saliency))
    return tuple(answers)


def draw_findings(
    upload: DecodedUpload, answers: tuple[FindingAnswer, ...], notes: Mapping[str, str] | None = None
) -> bytes:
    """PNG at source size: the picture, under the hottest of the shown maps at each point; boxes with captions.

    Where the gate does not accept the picture, a line at the bottom says so. `notes` become text chunks.
    """
    if upload.pixels is None:
        raise ValueError("an overlay needs the picture in source space")
    shown = [(answer, answer.saliency) for answer in answers if answer.saliency is not None and answer.saliency.boxes]
    maps = [saliency.scaled for _, saliency in shown if saliency.scaled is not None]
    height, width = upload.pixels.shape
    warning = _warning(upload.gate)
    if not maps:  # nothing to point at: a heatmap of nothing would look as hot as any
        grey = upload.pixels[..., None]
        plain = (np.repeat(grey[rows], 3, axis=2) for rows in row_strips(height, width))
        return png_of_strips(noted_strips(plain, height, width, warning), height, width, notes)
    placed = source_strips(np.maximum.reduce(maps), upload.placement)
    boxes = [(scored.box, _caption(answer)) for answer, saliency in shown for scored in saliency.boxes]
    drawn = overlay_strips(upload.pixels, placed, [box for box, _ in boxes], [caption for _, caption in boxes], warning)
    return png_of_strips(drawn, height, width, notes)


def draw_anomaly(anomaly_map: AnomalyMap, upload: DecodedUpload, notes: Mapping[str, str] | None = None) -> bytes:
    """PNG at source size: the scaled map in colours; the gate's line and `notes` as in `draw_findings`."""
    height, width = upload.placement.height, upload.placement.width
    strips = map(colourise, source_strips(anomaly_map.scaled, upload.placement))
    return png_of_strips(noted_strips(strips, height, width, _warning(upload.gate)), height, width, notes)


def _saliency(
    grid: NDArray[np.float32], upload: DecodedUpload, options: PredictOptions, *, positive: bool, threshold: float
) -> FindingSaliency:
    maximum = maximum_inside(grid, upload.placement)
    wants_map = options.saliency is Saliency.HEATMAPS
    if not (positive or wants_map):
        return FindingSaliency(maximum)
    scaled = saliency_map(grid, upload.placement)
    boxes = boxes_of(scaled, upload.placement, threshold)
    return FindingSaliency(maximum, boxes, scaled if wants_map or options.overlay else None)


def _caption(answer: FindingAnswer) -> str:
    return f"{answer.finding.display} {answer.probability:.2f}"


def _warning(gate: GateResult) -> str:
    return "" if gate.verdict is Verdict.ACCEPTED else f"gate: {gate_line(gate)}"
