"""A worker's pulse: renews the lease of what it works on, and ends a worker that is alive and does nothing.

Such workers exist: a consumer that has lost its place in the event loop after a reconnect answers every ping and takes
no message (celery 8030 and its successors). Nothing inside it can be trusted to notice, so a thread beside it looks at
what counts: is there work, and does it get done?
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from models.errors import ThorascopeError
from service.jobs.job import Chunk
from service.jobs.ledger import Ledger

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PulseLimits:
    """Times, in seconds.

    Attributes:
        lease_s: of a chunk; renewed at a third of it.
        idle_s: work waits and nothing is taken.
        busy_s: something was taken and no step of it ends.
    """

    lease_s: float
    idle_s: float
    busy_s: float


class Pulse:
    """Beats in a thread of its own.

    Args:
        work_waits: whether there are messages this worker could take.
        clock: seconds of a clock that nobody sets.
        end: ends this process, at once.
    """

    def __init__(
        self,
        ledger: Ledger,
        owner: str,
        limits: PulseLimits,
        work_waits: Callable[[], bool],
        clock: Callable[[], float],
        end: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._limits = limits
        self._work_waits = work_waits
        self._clock = clock
        self._end = end
        self._held: tuple[str, Chunk] | None = None
        self._last_step = self._clock()

    def step(self) -> None:
        """Something was done."""
        self._last_step = self._clock()

    def hold(self, job_id: str, chunk: Chunk) -> None:
        """This chunk is worked on, and its lease renewed, until `let_go`."""
        self.step()
        self._held = job_id, chunk

    def let_go(self) -> None:
        """Nothing is worked on."""
        self._held = None
        self.step()

    def beat(self) -> None:
        """Renew, or look whether there would be work. Raises StoreUnavailableError: then nobody could work."""
        silent_s = self._clock() - self._last_step
        if (held := self._held) is not None:
            if silent_s > self._limits.busy_s:
                self._give_up("stalled", silent_s)
            self._ledger.renew(*held, self._owner, self._limits.lease_s)
        elif not self._work_waits():
            self.step()
        elif silent_s > self._limits.idle_s:
            self._give_up("deaf", silent_s)

    def run(self, stop: threading.Event) -> None:
        """Beat until told to stop."""
        while not stop.wait(self._limits.lease_s / 3):
            try:
                self.beat()
            except (ThorascopeError, OSError):
                self.step()  # no store, no work: not the worker's fault

    def _give_up(self, why: str, silent_s: float) -> None:
        _log.error("worker ends itself", extra={"fields": {"why": why, "silent_s": round(silent_s, 1)}})
        self._end()
