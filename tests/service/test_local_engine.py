"""The engine's own decisions: what it takes on, what it computes, what it lets go."""

import asyncio

import numpy as np
import pytest

from models.errors import OverloadedError, UnsupportedMediaError, UploadTooLargeError
from service.inference.answers import PredictOptions, Saliency
from service.inference.local_engine import EngineLimits, LocalEngine
from service.inference.upload import decode_upload


class GatedPool:
    """Decodes in this process, when it is let."""

    def __init__(self) -> None:
        self.may_decode = asyncio.Event()

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def decode(self, content, order):
        await self.may_decode.wait()
        return decode_upload(content, order)


@pytest.fixture
def pool():
    return GatedPool()


@pytest.fixture
def engine(bundle, pool):
    return LocalEngine(bundle, pool, EngineLimits(requests=3, upload_bytes=100_000, threads=1))


class TestQueue:
    def test_one_request_too_many_is_refused_at_once_and_the_others_are_answered(self, engine, pool, chest_png):
        """A queue that only grows serves nobody; afterwards there is room again."""

        async def run():
            await engine.start()
            waiting = [asyncio.create_task(engine.predict(chest_png, PredictOptions())) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(OverloadedError):
                await engine.predict(chest_png, PredictOptions())
            pool.may_decode.set()
            answers = [*await asyncio.gather(*waiting), await engine.predict(chest_png, PredictOptions())]
            await engine.close()
            return answers

        assert 4 == len(asyncio.run(run()))

    def test_a_failure_gives_its_place_back(self, engine, pool):
        """Else bad files would fill the queue for good."""

        async def run():
            await engine.start()
            pool.may_decode.set()
            for _ in range(5):
                with pytest.raises(UploadTooLargeError):
                    await engine.predict(b"x" * 100_001, PredictOptions())
            await engine.close()

        asyncio.run(run())

    def test_a_file_of_exactly_the_limit_is_looked_at(self, engine, pool):
        """It is no picture, but not too large."""

        async def run():
            await engine.start()
            pool.may_decode.set()
            with pytest.raises(UnsupportedMediaError):
                await engine.predict(b"x" * 100_000, PredictOptions())
            await engine.close()

        asyncio.run(run())


class TestSaliency:
    def test_maps_that_nobody_asked_for_are_not_computed(self, engine, pool, chest_png, monkeypatch):
        """The graph runs without them."""
        asked = []
        predict = engine._classifier.predict

        def spy(images, *, saliency):
            asked.append(saliency)
            return predict(images, saliency=saliency)

        async def run():
            await engine.start()
            pool.may_decode.set()
            monkeypatch.setattr(engine._classifier, "predict", spy)
            for saliency in Saliency:
                await engine.predict(chest_png, PredictOptions(saliency=saliency))
            await engine.close()

        asyncio.run(run())

        assert [True, True, False] == asked


class TestReadiness:
    def test_it_is_ready_between_start_and_close(self, engine):
        """Before, nothing is warm; after, nothing is there."""

        async def run():
            states = [engine.is_ready]
            await engine.start()
            states.append(engine.is_ready)
            await engine.close()
            return [*states, engine.is_ready]

        assert [False, True, False] == asyncio.run(run())


class TestTimings:
    def test_the_parts_are_within_the_whole(self, engine, pool, chest_png):
        """Milliseconds, none of them negative."""

        async def run():
            await engine.start()
            pool.may_decode.set()
            prediction = await engine.predict(chest_png, PredictOptions(overlay=True))
            await engine.close()
            return prediction.timings

        timings = asyncio.run(run())
        parts = np.array([timings.decode_ms, timings.queue_ms, timings.infer_ms])

        assert (parts >= 0).all()
        assert parts.sum() <= timings.total_ms

    def test_waiting_for_a_decoder_is_waiting(self, engine, pool, chest_png):
        """What an operator sees rise when there are too few of them."""

        async def run():
            await engine.start()
            asyncio.get_running_loop().call_later(0.2, pool.may_decode.set)
            prediction = await engine.predict(chest_png, PredictOptions())
            await engine.close()
            return prediction.timings

        assert 150 < asyncio.run(run()).queue_ms
