"""A worker's presence: as long as it runs, the ledger says that its lanes are served."""

import logging
import threading
from collections.abc import Sequence

from models.errors import ThorascopeError
from service.jobs.job import Lane
from service.jobs.ledger import Ledger

_log = logging.getLogger(__name__)


class Presence:
    """Announces lanes in a thread of its own; once nobody does any more, they count as not served `hold_s` later."""

    def __init__(self, ledger: Ledger, lanes: Sequence[Lane], hold_s: float) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._hold_s = hold_s

    def run(self, stop: threading.Event) -> None:
        """Announce, at once and again and again, until told to stop."""
        while True:
            try:
                for lane in self._lanes:
                    self._ledger.announce(lane, self._hold_s)
            except (ThorascopeError, OSError):
                _log.debug("no store to announce a worker in")
            if stop.wait(self._hold_s / 3):
                return
