"""Batches: what a lost worker's half of one costs, and that it gives the same numbers."""

import asyncio
from unittest.mock import Mock

import numpy as np
import pytest

from models.imaging.gate import GateResult, Verdict
from models.imaging.preprocess import prepare
from models.imaging.radiograph import ImageFormat
from service.inference.answers import AnomalyOptions, PredictOptions
from service.inference.batch_engine import BatchEngine
from service.inference.decode_pool import DecodePool
from service.inference.local_engine import EngineLimits
from service.inference.upload import DecodedUpload
from tests.service.conftest import LIMITS

BATCH_SIZE = 9
OPTIONS = AnomalyOptions(masks=4, rounds=8)  # 32 passes an image: two images at once


@pytest.fixture(scope="module")
def engine(bundle):
    """Its graphs alone: what comes is decoded."""
    return BatchEngine(bundle, DecodePool(LIMITS, size=1), EngineLimits(threads=1))


@pytest.fixture
def uploads(engine):
    """Different pictures at these places."""
    contract = engine.model.manifest.input.contract
    pictures = np.random.default_rng(0).integers(0, 255, (BATCH_SIZE, 40, 30), np.uint8)

    def uploads(*places):
        return {
            place: DecodedUpload(
                prepare(pictures[place], contract), ImageFormat.PNG, None, GateResult(Verdict.ACCEPTED)
            )
            for place in places
        }

    return uploads


@pytest.fixture
def map_batch(engine, uploads):
    """Map uploads at these places; the maps, and how often progress was told."""

    def map_batch(*places):
        progress = Mock()
        found = asyncio.run(engine.map_batch(uploads(*places), BATCH_SIZE, OPTIONS, progress))
        return found, progress.call_count

    return map_batch


@pytest.fixture
def predict_batch(engine, uploads, monkeypatch):
    """Predict uploads at these places; the findings, the shapes in which the graph ran, how often progress was told."""

    def predict_batch(*places, batch_size=BATCH_SIZE):
        progress, graph = Mock(), Mock(side_effect=engine._classifier.predict)
        with monkeypatch.context() as patch:
            patch.setattr(engine._classifier, "predict", graph)
            found = asyncio.run(engine.predict_batch(uploads(*places), batch_size, PredictOptions(), progress))
        return found, [len(call.args[0]) for call in graph.call_args_list], progress.call_count

    return predict_batch


class TestPredictBatch:
    @pytest.mark.parametrize(
        ("places", "shapes"), [(range(BATCH_SIZE), [4, 4, 1]), ((0, 1), [4]), ((6,), [4]), ((1, 2, 8), [4, 1])]
    )
    def test_the_graph_runs_for_those_parts_that_hold_an_upload(self, predict_batch, places, shapes):
        """So halves of a chunk that lost its worker are done in half the time; each run is a sign of life."""
        found, runs, steps = predict_batch(*places)

        assert shapes == runs
        assert len(shapes) == steps
        assert set(places) == set(found)

    def test_a_lone_upload_of_a_large_batch_takes_little_memory(self, predict_batch):
        """The file over which workers ran out of memory, once it is alone."""
        _, runs, _ = predict_batch(8, batch_size=256)

        assert [4] == runs

    def test_part_of_a_batch_gives_the_same_bits(self, predict_batch):
        """Rows do not depend on how a chunk was split."""
        whole, _, _ = predict_batch(*range(BATCH_SIZE))
        for places in ((2, 8), (3,), range(4, 9)):
            part, _, _ = predict_batch(*places)
            for place, prediction in part.items():
                assert whole[place].findings == prediction.findings


class TestMapBatch:
    def test_the_detector_is_looked_up_once(self, engine, map_batch, monkeypatch):
        """For all parts of a batch."""
        look_up = Mock(side_effect=engine._detector_for)
        monkeypatch.setattr(engine, "_detector_for", look_up)
        _, runs = map_batch(*range(BATCH_SIZE))

        assert (5, 1) == (runs, look_up.call_count)

    @pytest.mark.parametrize(("places", "runs"), [(range(BATCH_SIZE), 5), ((0, 1), 1), ((1, 2, 8), 3)])
    def test_the_graph_runs_for_those_parts_that_hold_an_upload(self, map_batch, places, runs):
        """So halves of a chunk that lost its worker are done in half the time; each run is a sign of life."""
        found, steps = map_batch(*places)

        assert runs == steps
        assert set(places) == set(found)

    def test_half_a_batch_gives_the_same_bits(self, map_batch):
        """Rows do not depend on how a chunk was split."""
        whole, _ = map_batch(*range(BATCH_SIZE))
        part, _ = map_batch(2, 8)

        for place, anomaly in part.items():
            assert whole[place].map.score == anomaly.map.score
            np.testing.assert_array_equal(whole[place].map.calibrated, anomaly.map.calibrated)
