"""Decoder processes: what they give back, what they may not do, and what their death costs."""

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.errors import ThorascopeError, UndecodableImageError, UnsupportedMediaError
from models.imaging.preprocess import Geometry, InputContract
from service.inference.decode_pool import DecodePool
from service.inference.decode_worker import DecodeLimits, DecodeWorker
from service.inference.upload import DecodedUpload, DecodeOrder, decode_upload
from tests.service.conftest import LIMITS
from tests.service.faulty_decoder import CANARY

ORDER = DecodeOrder(InputContract(32, Geometry.LETTERBOX), limit_px=1_000_000)


def decode(pool: DecodePool, content: bytes, order: DecodeOrder = ORDER) -> DecodedUpload:
    return asyncio.run(pool.decode(content, order))


def refusal(pool: DecodePool, content: bytes) -> str:
    with pytest.raises(ThorascopeError) as caught:
        decode(pool, content)
    return str(caught.value)


@pytest.fixture
def brief_pool() -> Callable[[DecodeLimits], DecodePool]:
    """Makes a pool whose limits are reached soon; the test closes it."""
    return lambda limits: DecodePool(limits, size=1, recycle_after=2, decoder="tests.service.faulty_decoder:decode")


class TestResult:
    def test_it_equals_decoding_in_this_process(self, pool, chest_png):
        """The way through the process changes nothing."""
        here, there = decode_upload(chest_png, ORDER), decode(pool, chest_png)

        assert np.array_equal(here.model_input.image, there.model_input.image)
        assert here.placement == there.placement
        assert (here.format, here.header, here.gate) == (there.format, there.header, there.gate)
        assert None is there.pixels
        assert there.decode_ms > 0

    def test_the_picture_in_source_space_comes_only_when_asked_for(self, pool, chest_png):
        """An overlay needs it; nothing else should pay for moving it."""
        order = DecodeOrder(ORDER.contract, ORDER.limit_px, keep_pixels=True)
        pixels = decode(pool, chest_png, order).pixels

        assert pixels is not None
        assert (120, 90) == pixels.shape

    def test_an_error_crosses_as_data(self, pool):
        """The same class and message as in this process."""
        with pytest.raises(UnsupportedMediaError) as here:
            decode_upload(b"no image", ORDER)

        assert str(here.value) == refusal(pool, b"no image")


class TestSandbox:
    @pytest.mark.parametrize("misdeed", [b"socket", b"program"])
    def test_a_denied_call_fails(self, pool, misdeed):
        """No network, no other programs."""
        assert f"refused: {errno.EPERM}" == refusal(pool, misdeed)

    def test_no_file_can_be_written(self, pool):
        """The largest file a decoder may write is empty."""
        assert f"refused: {errno.EFBIG}" == refusal(pool, b"write")

    def test_memory_is_limited(self, pool):
        """A header that asks for gigabytes gets an error, not the machine."""
        assert "memory" in refusal(pool, b"hoard")

    def test_the_environment_holds_only_what_an_interpreter_needs(self, pool):
        """What we were told in confidence, an address with a password say, is not passed on."""
        names = set(refusal(pool, b"environment").split())

        assert {"OMP_NUM_THREADS", "PYTHONPATH"} <= names
        assert set() == {name for name in names if not name.startswith(("PYTHON", "L")) and "THREADS" not in name} - {
            "PATH"
        }


class TestFaults:
    @pytest.mark.parametrize("misdeed", [b"segfault", b"exit", b"raise"])
    def test_a_fault_is_an_undecodable_image_and_the_next_file_is_decoded(self, pool, chest_png, misdeed):
        """A dead decoder costs one file; nothing of what it raised gets out."""
        with pytest.raises(UndecodableImageError) as caught:
            decode(pool, misdeed)

        assert CANARY not in str(caught.value)
        assert (32, 32) == decode(pool, chest_png).model_input.image.shape

    def test_an_answer_of_the_wrong_size_is_not_believed(self, pool, chest_png):
        """A process that has read untrusted bytes may say anything."""
        assert "crashed" in refusal(pool, b"other size" + chest_png)

    def test_a_file_that_takes_too_long_is_given_up(self, brief_pool):
        """The parent keeps the wall clock."""
        pool = brief_pool(DecodeLimits(wall_s=0.5, upload_bytes=2**20))

        async def run() -> float:
            await pool.start()
            started = time.monotonic()
            with pytest.raises(UndecodableImageError, match="longer"):
                await pool.decode(b"hang", ORDER)
            took = time.monotonic() - started
            await pool.close()
            return took

        assert asyncio.run(run()) < 10

    def test_a_file_that_computes_too_long_is_ended(self, brief_pool):
        """The kernel keeps the CPU clock."""
        pool = brief_pool(DecodeLimits(wall_s=120.0, cpu_s=1, upload_bytes=2**20))

        async def run() -> None:
            await pool.start()
            with pytest.raises(UndecodableImageError, match="crashed"):
                await pool.decode(b"spin", ORDER)
            await pool.close()

        asyncio.run(run())

    def test_a_process_that_died_while_idle_costs_nobody_anything(self, pool, chest_png):
        """The next file gets another one."""
        worker = pool._idle.get()
        worker.close()
        pool._idle.put(worker)

        for _ in range(2):
            decode(pool, chest_png)


class TestLife:
    def test_processes_are_replaced_after_their_number_of_files(self, brief_pool, chest_png, caplog):
        """Leaks of decoders do not add up."""
        pool = brief_pool(LIMITS)

        async def run() -> None:
            await pool.start()
            for _ in range(5):
                await pool.decode(chest_png, ORDER)
            await pool.close()

        with caplog.at_level(logging.INFO, logger="service"):
            asyncio.run(run())

        assert ["age", "age"] == [record.fields["reason"] for record in caplog.records if "replaced" in record.message]

    def test_closing_leaves_no_process(self, brief_pool):
        """Not one of them survives the pool."""
        pool = brief_pool(LIMITS)

        async def run() -> list[DecodeWorker]:
            await pool.start()
            workers = [pool._idle.get(), pool._idle.get()]
            for worker in workers:
                pool._idle.put(worker)
            await pool.close()
            return workers

        assert [False, False] == [worker.is_alive for worker in asyncio.run(run())]

    def test_a_process_says_what_it_gave_up(self, pool):
        """On Linux that is everything."""
        worker = pool._idle.get()
        pool._idle.put(worker)

        assert {"dies_with_parent": True, "memory_limited": True, "network_denied": True} == worker.sandbox

    def test_it_runs_one_thread(self, pool):
        """No pool of BLAS or OpenMP threads."""
        worker = pool._idle.get()
        pool._idle.put(worker)

        assert 1 == len(list(Path(f"/proc/{worker.pid}/task").iterdir()))
