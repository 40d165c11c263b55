"""Decoder processes: what they give back, what they may not do, and what their death costs."""

import asyncio
import errno
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import OverloadedError, ThorascopeError, UndecodableImageError, UnsupportedMediaError
from models.imaging.preprocess import Geometry, InputContract
from service.inference.decode_pool import DecodePool
from service.inference.decode_worker import DecodeLimits, DecodeWorker
from service.inference.local_engine import EngineLimits, LocalEngine
from service.inference.upload import DecodedUpload, DecodeOrder, decode_upload
from tests.service.conftest import LIMITS
from tests.service.faulty_decoder import CANARY

ORDER = DecodeOrder(InputContract(32, Geometry.LETTERBOX), limit_px=1_000_000)
ROOT = Path(__file__).parents[2]
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="what /proc shows of a process is Linux' affair")

# A service without capabilities, which come back with `exec` unless the bounding set is empty; its decoder reaches for
# the service's files under /proc.
CLOSED = """
import asyncio, ctypes, os, sys
if "bounded" not in sys.argv:
    for capability in range(64):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
    os.execv(sys.executable, [*sys.orig_argv, "bounded"])

from models.imaging.preprocess import InputContract
from service.inference.decode_pool import DecodePool
from service.inference.decode_worker import DecodeLimits
from service.inference.upload import DecodeOrder

async def run():
    pool = DecodePool(DecodeLimits(), size=1, decoder="tests.service.faulty_decoder:decode")
    await pool.start()
    for path in (b"environ", b"mem", b"fd/0", b"cwd"):
        try:
            await pool.decode(b"parent/" + path, DecodeOrder(InputContract(32), 1000))
        except Exception as error:
            print(error)
    await pool.close()

asyncio.run(run())
"""


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
    @pytest.mark.parametrize("misdeed", [b"socket", b"program", b"signal", b"limits"])
    def test_a_denied_call_fails(self, pool, misdeed):
        """No network, no other programs, nothing done to other processes."""
        assert f"refused: {errno.EPERM}" == refusal(pool, misdeed)

    def test_no_file_can_be_written(self, pool):
        """The largest file a decoder may write is empty."""
        assert f"refused: {errno.EFBIG}" == refusal(pool, b"write")

    @needs_linux
    def test_its_parent_is_closed_to_it(self):
        """A service under a user of its own keeps its secrets, and its clients' uploads, from the processes it starts.

        Without what makes root more than an ordinary user, to whom nothing is closed.
        """
        process = subprocess.run(  # noqa: S603 our own interpreter
            [sys.executable, "-c", CLOSED], cwd=ROOT, capture_output=True, text=True, check=False
        )

        assert [f"refused: {errno.EACCES}"] * 4 == process.stdout.splitlines(), process.stderr

    @needs_linux
    def test_it_is_the_first_to_go_where_memory_is_short(self, pool):
        """And not the process that serves everybody."""
        worker = pool._crew._idle.get()
        pool._crew._idle.put(worker)

        assert "1000\n" == Path(f"/proc/{worker.pid}/oom_score_adj").read_text()

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
    @pytest.mark.parametrize("misdeed", [b"segfault", b"abort", b"exit", b"raise"])
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
        worker = pool._crew._idle.get()
        worker.close()
        pool._crew._idle.put(worker)

        for _ in range(2):
            decode(pool, chest_png)


class TestShortage:
    """A machine that has no room for a process just now."""

    @pytest.fixture
    def shortage(self, monkeypatch) -> threading.Event:
        """While it is set, no process can be made."""
        shortage, start = threading.Event(), DecodeWorker.start

        def refuse(*arguments):
            if shortage.is_set():
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            return start(*arguments)

        monkeypatch.setattr(DecodeWorker, "start", refuse)
        return shortage

    def test_lost_processes_come_back_when_there_is_room_again(self, brief_pool, shortage, chest_png):
        """By themselves, as many as before; meanwhile files are refused soon, and the pool says that it is dead."""
        pool = brief_pool(replace(LIMITS, take_s=0.2))

        async def run() -> None:
            await pool.start()
            shortage.set()
            for worker in tuple(pool._crew._members):
                worker._process.kill()
            await until(lambda: not pool._crew._members)
            assert not pool.is_alive
            with pytest.raises(OverloadedError):
                await pool.decode(chest_png, ORDER)
            shortage.clear()
            await until(lambda: 2 == len(pool._crew._members))
            assert pool.is_alive
            await pool.close()

        asyncio.run(run())

    def test_an_engine_without_processes_is_not_served(self, bundle, brief_pool, shortage):
        """A balancer sends requests elsewhere."""
        pool = brief_pool(LIMITS)
        engine = LocalEngine(bundle, pool, EngineLimits(threads=1))

        async def run() -> list[bool]:
            await engine.start()
            served = [await engine.is_served()]
            shortage.set()
            for worker in tuple(pool._crew._members):
                worker._process.kill()
                worker._process.wait()
            served.append(await engine.is_served())
            await engine.close()
            return served

        assert [True, False] == asyncio.run(run())

    def test_a_pool_that_does_not_come_up_leaves_no_process(self, brief_pool, shortage):
        """And says why."""
        pool = brief_pool(LIMITS)
        shortage.set()

        async def run() -> None:
            with pytest.raises(BlockingIOError):
                await pool.start()
            await pool.close()

        asyncio.run(run())
        assert set() == pool._crew._members

    def test_there_are_never_more_processes_than_it_was_told(self, brief_pool, chest_png):
        """However many die, and whoever notices first."""
        pool = brief_pool(LIMITS)

        async def run() -> list[int]:
            await pool.start()
            numbers = []
            for _ in range(2):
                with pytest.raises(UndecodableImageError):
                    await pool.decode(b"exit", ORDER)
                await pool.decode(chest_png, ORDER)
                numbers.append(len(pool._crew._members))
            await until(lambda: 2 == pool._crew._idle.qsize())
            numbers.append(len(pool._crew._members))
            await pool.close()
            return numbers

        assert 2 >= max(asyncio.run(run()))


async def until(is_so: Callable[[], bool], within_s: float = 200.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


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
            workers = [pool._crew._idle.get(), pool._crew._idle.get()]
            for worker in workers:
                pool._crew._idle.put(worker)
            await pool.close()
            return workers

        assert [False, False] == [worker.is_alive for worker in asyncio.run(run())]

    def test_a_process_says_what_it_gave_up(self, pool):
        """On Linux that is everything."""
        worker = pool._crew._idle.get()
        pool._crew._idle.put(worker)

        assert {
            "dies_with_parent": True,
            "memory_limited": True,
            "network_denied": True,
            "closed_to_others": True,
        } == worker.sandbox

    def test_it_runs_one_thread(self, pool):
        """No pool of BLAS or OpenMP threads."""
        worker = pool._crew._idle.get()
        pool._crew._idle.put(worker)

        assert 1 == len(list(Path(f"/proc/{worker.pid}/task").iterdir()))
