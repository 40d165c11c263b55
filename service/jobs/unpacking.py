"""Archives that are unpacked at the same time: how many, and whether any still is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import StoreUnavailableError


class Unpacking:
    """Shared by the intakes of one process.

    Args:
        at_once: archives; more wait for their turn.
    """

    def __init__(self, at_once: int) -> None:
        self._turns = threading.Semaphore(at_once)
        self._stopped = threading.Event()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until an archive may be unpacked. Raises as `go_on`."""
        with self._turns:
            self.go_on()
            yield

    def go_on(self) -> None:
        """Asked before every piece. Raises StoreUnavailableError: the service is shutting down."""
        if self._stopped.is_set():
            raise StoreUnavailableError("the service is shutting down")

    def stop(self) -> None:
        """What is being unpacked ends with its next piece, and what waits ends at once."""
        self._stopped.set()
