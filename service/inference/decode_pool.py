"""Decoder processes, reused and replaced, behind one awaitable call.

A file that kills, stalls or confuses its decoder costs itself a 422. The next file finds another process waiting: there
is always one more than can be busy, and what is lost is replaced in the background.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from models.errors import DecoderFaultError, UndecodableImageError
from service.inference.decode_crew import DecodeCrew
from service.inference.decode_messages import order_to_header, result_from_frame
from service.inference.decode_worker import DecodeLimits, DecodeWorker
from service.inference.upload import DecodedUpload, DecodeOrder
from service.inference.wire import BrokenWireError

DEFAULT_DECODER = "service.inference.upload:decode_upload"


class DecodePool:
    """Decodes untrusted bytes in child processes.

    Args:
        size: files decoded at once.
        recycle_after: files a process sees in its life.
        decoder: "module:function" that the processes run; tests put a faulty one here.
    """

    def __init__(
        self, limits: DecodeLimits, *, size: int = 2, recycle_after: int = 200, decoder: str = DEFAULT_DECODER
    ) -> None:
        self._limits = limits
        self._recycle_after = recycle_after
        self._crew = DecodeCrew(limits, decoder, size + 1)
        self._jobs = ThreadPoolExecutor(size, thread_name_prefix="decode")

    @property
    def is_alive(self) -> bool:
        """Whether there is a process; while there is none, files are refused as overloaded."""
        return self._crew.is_alive

    async def start(self) -> None:
        """Start all processes and wait for them.

        Raises:
            OSError, TimeoutError, BrokenWireError: a process does not come up.
        """
        await asyncio.to_thread(self._crew.start)

    async def decode(self, content: bytes, order: DecodeOrder) -> DecodedUpload:
        """Decode one file; waits while all processes are busy.

        Raises:
            UnsupportedMediaError, ImageTooLargeError, NotAChestRadiographError: as `decode_upload` says.
            UndecodableImageError: as it says.
            DecoderFaultError: the process died, stalled, ran out of memory or answered nonsense.
            OverloadedError: no process was to be had in time.
        """
        run = copy_context().run  # so that what is logged there carries the request's id
        return await asyncio.get_running_loop().run_in_executor(self._jobs, run, self._decode, content, order)

    async def close(self) -> None:
        """Let running files finish, then end all processes."""
        await asyncio.to_thread(self._jobs.shutdown)
        await asyncio.to_thread(self._crew.close)

    def _decode(self, content: bytes, order: DecodeOrder) -> DecodedUpload:
        worker = self._crew.take()
        healthy = False
        try:
            header, parts = worker.ask(
                order_to_header(order), content, reply_limit_bytes=order.limit_px + order.contract.side**2
            )
            healthy = "fault" not in header
            return _result(header, parts, order, healthy=healthy)
        except TimeoutError as error:
            healthy = False
            raise DecoderFaultError(f"decoding takes longer than {self._limits.wall_s:g} s") from error
        except BrokenWireError as error:
            healthy = False
            raise DecoderFaultError("the decoder crashed on this file") from error
        finally:
            self._give_back(worker, healthy=healthy)

    def _give_back(self, worker: DecodeWorker, *, healthy: bool) -> None:
        if not healthy:
            self._crew.retire(worker, "fault")
        elif worker.num_files >= self._recycle_after:
            self._crew.retire(worker, "age")
        else:
            self._crew.give_back(worker)


def _result(header: dict[str, Any], parts: Sequence[bytearray], order: DecodeOrder, *, healthy: bool) -> DecodedUpload:
    try:
        return result_from_frame(header, parts, order)
    except UndecodableImageError as error:
        if healthy:
            raise
        raise DecoderFaultError(str(error)) from error
