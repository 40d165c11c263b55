"""From a graph's outputs to findings, and to their picture: each with its own map, and nothing that is no number."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.imaging.gate import GateResult, Verdict
from models.imaging.preprocess import prepare
from models.imaging.radiograph import ImageFormat
from models.runtime.classifier import Classifier, ClassifierOutput
from service.inference.answers import PredictOptions, Saliency
from service.inference.compose import compose_findings, draw_findings
from service.inference.predict_schema import FindingBody
from service.inference.upload import DecodedUpload

HEIGHT = WIDTH = 320
NEVER, ALWAYS = -40.0, 40.0  # logits
MASS_ALONE = {"logits": {"Mass": ALWAYS}, "spots": {"Mass": (0, 0), "Nodule": (3, 3)}}


@pytest.fixture(scope="module")
def classifier(bundle):
    return Classifier.open(bundle)


@pytest.fixture
def upload(bundle):
    pixels = np.full((HEIGHT, WIDTH), 100, np.uint8)
    prepared = prepare(pixels, bundle.manifest.input.contract)
    return DecodedUpload(prepared, ImageFormat.PNG, None, GateResult(Verdict.ACCEPTED), pixels)


def output(manifest, logits, spots):
    """Of one image: logits by finding, `NEVER` for the others; maps by finding, 1 in one cell and 0 elsewhere."""
    grid = manifest.classifier.saliency_grid
    names = [finding.name for finding in manifest.findings]
    values = np.full((1, len(names)), NEVER, np.float32)
    maps = np.zeros((1, len(names), grid, grid), np.float32)
    for name, logit in logits.items():
        values[0, names.index(name)] = logit
    for name, cell in spots.items():
        maps[0, names.index(name)][cell] = 1
    return ClassifierOutput(values, maps)


def compose(classifier, bundle, upload, options, **computed):
    made = output(bundle.manifest, **computed)
    answers = compose_findings(classifier, made, upload, options, bundle.manifest)
    return {answer.finding.name: answer for answer in answers}


class TestComposeFindings:
    def test_only_positive_ones_have_boxes_and_no_map_is_kept_for_them(self, classifier, bundle, upload):
        """A map takes 200 KB of every answer that a worker writes."""
        found = compose(classifier, bundle, upload, PredictOptions(), **MASS_ALONE)

        assert (1, 0) == (len(found["Mass"].saliency.boxes), len(found["Nodule"].saliency.boxes))
        assert None is found["Mass"].saliency.scaled is found["Nodule"].saliency.scaled

    def test_with_heatmaps_all_have_both(self, classifier, bundle, upload):
        """What is not positive, too."""
        found = compose(classifier, bundle, upload, PredictOptions(saliency=Saliency.HEATMAPS), **MASS_ALONE)

        boxes = [found[name].saliency.boxes[0].box for name in ("Mass", "Nodule")]
        assert (0, 0) == (boxes[0].top, boxes[0].left)
        assert (HEIGHT, WIDTH) == (boxes[1].bottom, boxes[1].right)
        assert 1 == found["Mass"].saliency.scaled[0, 0] == found["Nodule"].saliency.scaled[-1, -1]

    @pytest.mark.parametrize("logit", [np.nan, np.inf, -np.inf])
    def test_a_logit_that_is_no_number_is_no_answer(self, classifier, bundle, upload, logit):
        """Of an infinite one the probability would be a number, and the answer no JSON."""
        found = compose(classifier, bundle, upload, PredictOptions(), logits={"Mass": logit}, spots={})["Mass"]

        assert (None, None, None, None) == (found.logit, found.probability, found.positive, found.saliency)
        assert "no number" in FindingBody.of(found, with_png=False).reason


class TestDrawFindings:
    def test_each_place_shows_the_hottest_of_the_maps(self, classifier, bundle, upload):
        """Not that of one finding alone."""
        options = PredictOptions(overlay=True)
        spots = {"Mass": (0, 0), "Nodule": (3, 3)}
        found = compose(classifier, bundle, upload, options, logits=dict.fromkeys(spots, ALWAYS), spots=spots)

        drawn = np.asarray(Image.open(BytesIO(draw_findings(upload, tuple(found.values()))))).astype(int)

        for y, x in ((20, 20), (HEIGHT - 20, WIDTH - 20)):
            assert drawn[y, x, 0] > drawn[y, x, 2] + 30
        assert [100, 100, 100] == drawn[HEIGHT // 2, WIDTH // 2].tolist()
