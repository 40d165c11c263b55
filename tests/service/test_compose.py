"""Pictures at source size: drawn a strip at a time, so that several large ones fit into memory."""

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from models.imaging.gate import GateResult, Verdict
from models.imaging.geometry import Box, Letterbox
from models.imaging.preprocess import ModelInput
from models.imaging.radiograph import ImageFormat
from service.inference.answers import FindingAnswer, FindingSaliency, ScoredBox
from service.inference.compose import draw_findings
from service.inference.upload import DecodedUpload
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


class TestWarning:
    @pytest.mark.parametrize("boxed", [True, False])
    def test_a_line_at_the_bottom_where_the_gate_does_not_accept(self, boxed):
        """Only there: the picture of one that is accepted stays as it is."""
        placement = Letterbox(300, 300, 224)
        model_input = ModelInput(np.zeros((224, 224), np.uint8), placement)
        scored = (ScoredBox(Box(100, 100, 200, 200), 0.5),)
        saliency = FindingSaliency(1.0, scored if boxed else (), np.zeros((224, 224), np.float32))
        answer = FindingAnswer(SimpleNamespace(display="Mass"), 1.0, 0.7, positive=True, saliency=saliency)

        def drawn(gate):
            upload = DecodedUpload(model_input, ImageFormat.PNG, None, gate, np.full((300, 300), 100, np.uint8))
            return np.asarray(Image.open(BytesIO(draw_findings(upload, (answer,)))))

        accepted = drawn(GateResult(Verdict.ACCEPTED))
        warned = drawn(GateResult(Verdict.SUSPICIOUS, ("inverted",)))

        assert (accepted[275:] == 100).all()
        assert (accepted[:270] == warned[:270]).all()
        assert (warned[275:] == 255).all(axis=2).any()
