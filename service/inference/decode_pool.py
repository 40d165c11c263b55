"""Decoder processes, reused and replaced, behind one awaitable call.

A file that kills, stalls or confuses its decoder costs itself a 422. The next file finds another process waiting: there
is always one more than can be busy, and what is lost is replaced in the background.
"""

import asyncio
import logging
import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from models.errors import DecoderFaultError, OverloadedError, UndecodableImageError
from service.inference.decode_messages import order_to_header, result_from_frame
from service.inference.decode_worker import DecodeLimits, DecodeWorker
from service.inference.upload import DecodedUpload, DecodeOrder
from service.inference.wire import BrokenWireError

_log = logging.getLogger(__name__)

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
        self._size = size
        self._recycle_after = recycle_after
        self._decoder = decoder
        self._idle: queue.SimpleQueue[DecodeWorker] = queue.SimpleQueue()
        self._jobs = ThreadPoolExecutor(size, thread_name_prefix="decode")
        # A process dies with the thread that made it (PR_SET_PDEATHSIG means the thread), so one that lasts makes all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="decode-start")
        self._closed = False

    async def start(self) -> None:
        """Start all processes and wait for them.

        Raises:
            OSError, TimeoutError, BrokenWireError: a process does not come up.
        """
        await asyncio.get_running_loop().run_in_executor(self._starter, self._start_workers, self._size + 1)

    async def decode(self, content: bytes, order: DecodeOrder) -> DecodedUpload:
        """Decode one file; waits while all processes are busy.

        Raises:
            UnsupportedMediaError, ImageTooLargeError, NotAChestRadiographError: as `decode_upload` says.
            UndecodableImageError: as it says.
            DecoderFaultError: the process died, stalled, ran out of memory or answered nonsense.
            OverloadedError: no process can be had.
        """
        run = copy_context().run  # so that what is logged there carries the request's id
        return await asyncio.get_running_loop().run_in_executor(self._jobs, run, self._decode, content, order)

    async def close(self) -> None:
        """Let running files finish, then end all processes."""
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._jobs.shutdown)
        await loop.run_in_executor(self._starter, self._end_idle)
        self._starter.shutdown(wait=False)

    def _decode(self, content: bytes, order: DecodeOrder) -> DecodedUpload:
        worker = self._take()
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

    def _take(self) -> DecodeWorker:
        """A live process; those that died while idle are replaced."""
        while True:
            try:
                worker = self._idle.get(timeout=self._limits.start_s)
            except queue.Empty:
                self._replace()
                raise OverloadedError("no decoder process is ready") from None
            if worker.is_alive:
                return worker
            self._retire(worker, "died while idle")

    def _give_back(self, worker: DecodeWorker, *, healthy: bool) -> None:
        if not healthy:
            self._retire(worker, "fault")
        elif worker.num_files >= self._recycle_after:
            self._retire(worker, "age")
        else:
            self._idle.put(worker)

    def _retire(self, worker: DecodeWorker, reason: str) -> None:
        self._replace()
        fields = {"reason": reason, "exit_status": worker.close(), "files": worker.num_files}
        _log.log(logging.INFO if reason == "age" else logging.WARNING, "decoder replaced", extra={"fields": fields})

    def _replace(self) -> None:
        if not self._closed:
            self._starter.submit(self._try_start_one)

    def _start_workers(self, count: int) -> None:
        """Start processes side by side."""
        for worker in [DecodeWorker.start(self._limits, self._decoder) for _ in range(count)]:
            worker.wait_until_ready()
            _log.debug("decoder started", extra={"fields": worker.sandbox})
            self._idle.put(worker)

    def _try_start_one(self) -> None:
        if self._closed:
            return
        try:
            self._start_workers(1)
        except (OSError, BrokenWireError):  # TimeoutError is an OSError
            _log.exception("no decoder process could be started")

    def _end_idle(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


def _result(header: dict[str, Any], parts: Sequence[bytearray], order: DecodeOrder, *, healthy: bool) -> DecodedUpload:
    try:
        return result_from_frame(header, parts, order)
    except UndecodableImageError as error:
        if healthy:
            raise
        raise DecoderFaultError(str(error)) from error
