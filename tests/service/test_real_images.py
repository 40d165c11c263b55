"""Real radiographs, through decoder processes and the application."""

import csv
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.api.app import create_app
from service.inference.decode_pool import DecodePool
from service.inference.local_engine import EngineLimits, LocalEngine
from tests.service.conftest import LIMITS

LIMIT_BYTES = 64 * 2**20


@pytest.fixture(scope="module")
def real_client(settings, bundle, shared):
    """Under the limits of a default installation."""
    limits = settings.model_copy(update={"upload_limit_bytes": LIMIT_BYTES, "pixel_limit_px": 64_000_000})
    decode_limits = type(LIMITS)(wall_s=120.0, cpu_s=60, upload_bytes=LIMIT_BYTES, start_s=240.0)
    engine = LocalEngine(bundle, DecodePool(decode_limits, size=1), EngineLimits(threads=1))
    with TestClient(create_app(limits, engine=engine)) as client:
        yield client


def ask(client, file: Path):
    return client.post("/predict", files={"image": ("x", file.read_bytes())})


def test_every_original__is_answered(real_client, shared):
    """RGBA, inverted, huge, with arrows burned in, 16 bits deep."""
    files = [file for file in (shared / "data" / "originals").iterdir() if file.suffix != ".csv"]
    statuses = {file.name: ask(real_client, file).status_code for file in files}

    assert len(files) >= 9
    assert {file.name: 200 for file in files} == statuses


def test_every_chest_dicom__is_answered_but_the_one_that_calls_itself_ct(real_client, shared):
    """Lossy and lossless, with and without preamble."""
    folder = shared / "data" / "dicom"
    files = [*folder.glob("*.dcm"), *(folder / "derived").glob("*.dcm")]
    refused = {file.name: ask(real_client, file).json()["reasons"] for file in files if "test5" in file.name}
    statuses = {ask(real_client, file).status_code for file in files if "test5" not in file.name}

    assert len(files) >= 12
    assert {"nih_dx_implicitle_udacity_test5.dcm": ["modality"]} == refused
    assert {200} == statuses


def test_a_header_that_names_something_else__is_refused_by_it(real_client, shared):
    """Hips, tibias and an OT; told before their pixels are looked at."""
    for file in (shared / "data" / "dicom" / "negative").glob("negative_*.dcm"):
        body = ask(real_client, file).json()

        assert "/problems/not-a-chest-radiograph" == body["type"], file.name
        assert set(body["reasons"]) & {"modality", "body-part"}


def test_the_table_of_samples__names_files_that_exist(shared):
    """Else the tests above would pass over nothing."""
    with (shared / "data" / "dicom" / "dicom.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) >= 12
