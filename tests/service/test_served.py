"""What a process without graphs knows of the model, and how thresholds travel to the workers that have them."""

import asyncio
import json

import pytest

from models.errors import InvalidBundleError
from service.inference.answer_messages import prediction_from_frame, prediction_to_frame
from service.inference.answers import AnomalyOptions, FindingAnswer, Prediction, PredictOptions, Saliency
from service.inference.served import served_model
from tests.service.fake_engine import TIMINGS


def test_served_model__has_the_thresholds_of_the_settings(settings):
    """As an engine over the same bundle has them; the hash is that of the file."""
    usual, specific = (served_model(settings.model_copy(update={"thresholds": name})) for name in (None, "specific"))

    assert ("tiny-thresholds", "specific") == (usual.manifest.thresholds.name, specific.manifest.thresholds.name)
    assert usual.sha256 == specific.sha256


def test_served_model__refuses_thresholds_that_are_not_there(settings):
    """At start, by the variable's name."""
    with pytest.raises(InvalidBundleError, match=r"THORASCOPE_THRESHOLDS .* tiny-thresholds, sensitive, specific"):
        served_model(settings.model_copy(update={"thresholds": "lenient"}))


def test_a_prediction__comes_back_with_the_thresholds_it_was_cut_by(settings, fake_engine):
    """The frame names findings; their thresholds are those of the set that was asked for."""
    model = served_model(settings).with_thresholds("sensitive")
    findings = tuple(FindingAnswer(finding, 0.1, 0.5, positive=True) for finding in model.manifest.findings)
    upload = asyncio.run(fake_engine.predict(b"x", PredictOptions())).upload
    frame = b"".join(prediction_to_frame(Prediction(upload, findings, TIMINGS)))

    assert findings == prediction_from_frame(frame, model, 10**6).findings


def test_predict_options__of_a_job_written_before_there_were_sets_ask_for_none():
    """Its worker then cuts by the set in force."""
    assert None is PredictOptions.from_json({"gate": "on"}).thresholds
    assert "specific" == PredictOptions.from_json({"thresholds": "specific"}).thresholds


@pytest.mark.parametrize(
    "options",
    [
        PredictOptions(),
        PredictOptions(
            frozenset({"Mass", "Edema"}), Saliency.NONE, refuse_rejected=False, overlay=True, thresholds="own"
        ),
        AnomalyOptions(),
        AnomalyOptions(masks=4, rounds=2, seed=7, refuse_rejected=False, picture=True),
    ],
)
def test_options__survive_the_ledger(options):
    """A job, and with `THORASCOPE_ENGINE=queue` a request, is answered as it was asked."""
    assert options == type(options).from_json(json.loads(json.dumps(options.to_json())))
