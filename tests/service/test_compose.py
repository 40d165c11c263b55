"""Pictures at source size: drawn a strip at a time, so that several large ones fit into memory."""

import pytest

from tests.peak_memory import needs_proc, peak_mb

SIDE = 4000

UPLOAD = f"""
from types import SimpleNamespace
import numpy as np
from models.imaging.geometry import Box, Letterbox
from models.imaging.preprocess import ModelInput
from models.imaging.radiograph import ImageFormat
from models.imaging.gate import GateResult, Verdict
from service.inference.answers import FindingAnswer, FindingSaliency, ScoredBox
from service.inference.compose import draw_anomaly, draw_findings
from service.inference.upload import DecodedUpload

model_input = ModelInput(np.zeros((224, 224), np.uint8), Letterbox({SIDE}, {SIDE}, 224))
pixels = np.full(({SIDE}, {SIDE}), 100, np.uint8)
upload = DecodedUpload(model_input, ImageFormat.PNG, None, GateResult(Verdict.ACCEPTED), pixels)
scaled = np.linspace(0, 1, 224 * 224, dtype=np.float32).reshape(224, 224)
saliency = FindingSaliency(1.0, (ScoredBox(Box(1000, 1000, 2000, 2000), 0.5),), scaled)
answer = FindingAnswer(SimpleNamespace(display="Mass"), 1.0, 0.7, True, saliency)
"""


@needs_proc
@pytest.mark.parametrize(
    "step",
    [
        pytest.param("png = draw_findings(upload, (answer,))", id="overlay"),
        pytest.param("png = draw_findings(upload, ())", id="overlay of nothing"),
        pytest.param("png = draw_anomaly(SimpleNamespace(scaled=scaled), upload)", id="anomaly map"),
    ],
)
def test_a_picture_takes_little_more_memory_than_it_has_pixels(step):
    """As Pillow's image it takes four bytes a pixel, and a strip some more; it took sixteen."""
    assert peak_mb(UPLOAD, step) < 8 * SIDE**2 / 2**20
