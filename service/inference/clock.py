"""Where the time of one request goes."""

import time

from service.inference.answers import Timings


class Clock:
    """Runs from the moment it is made; the parts are added up by whoever spends them."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.decode_ms = self.queue_ms = self.infer_ms = 0.0

    def timings(self) -> Timings:
        """The parts so far, and the whole until now."""
        return Timings(self.decode_ms, self.queue_ms, self.infer_ms, ms_since(self._started))


def ms_since(started: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000
