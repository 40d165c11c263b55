"""A progress bar on standard error: share, rate, time left."""

import sys
import time

_WIDTH = 30
_EVERY_S = 10.0  # where nobody watches a terminal, a line now and then


class ProgressBar:
    """Shows how far something is.

    Args:
        done: what was done before; it does not count into the rate.
    """

    def __init__(self, title: str, total: int, *, done: int = 0) -> None:
        self._title = title
        self._total = total
        self._done_before = done
        self._started = self._last_line = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._is_open = False

    def show(self, done: int, note: str = "") -> None:
        """Draw anew."""
        now = time.monotonic()
        if not self._is_terminal and done < self._total and now - self._last_line < _EVERY_S:
            return
        self._last_line = now
        text = self.render(done, now - self._started, note)
        print(f"\r{text}\x1b[K" if self._is_terminal else text, end="" if self._is_terminal else "\n", file=sys.stderr)
        sys.stderr.flush()
        self._is_open = self._is_terminal

    def render(self, done: int, elapsed_s: float, note: str = "") -> str:
        """The bar as text."""
        share = done / self._total
        filled = int(share * _WIDTH)
        bar = "#" * filled + "." * (_WIDTH - filled)
        rate = (done - self._done_before) / elapsed_s if elapsed_s > 0 else 0.0
        left = _clock((self._total - done) / rate) if rate > 0 else "?"
        parts = [f"{self._title} [{bar}] {done}/{self._total} {share:4.0%}", f"{rate:.1f}/s", f"{left} left"]
        return ", ".join([*parts, note] if note else parts)

    def close(self) -> None:
        """Leave the line."""
        if self._is_open:
            print(file=sys.stderr)
            self._is_open = False


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
