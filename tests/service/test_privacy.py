"""Nothing that identifies a patient leaves through logs or errors, however much is logged."""

import io
import logging

import numpy as np
import pytest
from starlette.testclient import TestClient

from service.api.app import create_app
from service.inference.decode_pool import DecodePool
from service.inference.local_engine import EngineLimits, LocalEngine
from service.telemetry import configure_logging
from tests import dicom_samples
from tests.service.conftest import LIMITS

CANARY = "Canary"
assert CANARY in dicom_samples.PATIENT


@pytest.fixture
def log():
    """Everything that any logger says at DEBUG, rendered as the service renders it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("DEBUG", stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def broken_files() -> dict[str, bytes]:
    """Files whose headers name the patient, broken in many ways."""
    good = dicom_samples.plain(dicom_samples.chest())
    return {
        "good": good,
        "refused": dicom_samples.plain(dicom_samples.chest(), Modality="CT", BodyPartExamined=CANARY.upper()),
        "without pixels": dicom_samples.written(dicom_samples.dataset(np.zeros((0, 0), np.uint8))),
        "no photometry": good.replace(b"MONOCHROME2 ", b"Canary^Patie"),
        "no numbers": good.replace(b"(\x00\x10\x00US\x02\x00", b"(\x00\x10\x00PN\x02\x00"),
        **{f"cut at {cut}": good[:cut] for cut in range(140, 900, 40)},
    }


def test_patients__appear_in_no_log_and_no_error(settings, bundle, log):
    """Names in headers, file names, form fields, query strings, request headers and methods, all at DEBUG."""
    engine = LocalEngine(bundle, DecodePool(LIMITS, size=1), EngineLimits(threads=1))
    errors = []
    with TestClient(create_app(settings, engine=engine), headers={"x-patient": CANARY, "accept": "*/*"}) as client:
        for content in broken_files().values():
            files = {"image": (f"{CANARY}.dcm", content)}
            others = {f"{CANARY} {CANARY}": ("x", CANARY.encode()), "x": (CANARY, b"x"), "findings": (None, CANARY)}
            client.post("/predict", files=files)
            errors.append(client.post(f"/predict?patient={CANARY}", files=files).text)
            errors.append(client.post(f"/predict?{CANARY}^{CANARY}=1&findings={CANARY}^", files=files).text)
            errors.append(client.post(f"/anomaly-map?masks={CANARY}", files=files).text)
            errors.append(client.post("/predict", files=files | others).text)
        errors.append(client.get(f"/{CANARY}").text)
        errors.append(client.request(CANARY, "/predict").text)
        errors.append(client.get(f"/problems/{CANARY}").text)

    text = log.getvalue()
    logged = [line for line in text.splitlines() if "httpx" not in line]  # the test's own client
    assert len(logged) > len(errors)
    assert [] == [line for line in [*logged, *errors] if CANARY.lower() in line.lower()]


def test_an_exception__is_logged_by_type_and_place_alone(log):
    """Its message may quote what the client sent; so may the exceptions behind it."""

    def read(header: dict[str, str]) -> str:
        try:
            return header[CANARY]
        except KeyError as error:
            raise ValueError(CANARY) from error

    try:
        read({})
    except ValueError:
        logging.getLogger("service.test").exception("failed")

    assert "KeyError" in log.getvalue()
    assert "test_privacy.py" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_foreign_loggers__are_heard_without_their_values(log):
    """The template is ours to read, the values may be anybody's."""
    logging.getLogger("elsewhere").warning("bad value %s", CANARY)

    assert "bad value %s" in log.getvalue()
    assert CANARY not in log.getvalue()
