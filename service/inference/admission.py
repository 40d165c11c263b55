"""How many requests an engine works on at once; who comes on top is refused, not queued."""

from types import TracebackType

from models.errors import OverloadedError


class Admission:
    """A context manager, one for all requests of an engine; for one event loop.

    Args:
        limit: how many may be inside.

    Raises:
        OverloadedError: on entering, where that many are.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._num_inside = 0

    def __enter__(self) -> None:
        if self._num_inside >= self._limit:
            raise OverloadedError(f"{self._limit} requests are being worked on, which is the limit")
        self._num_inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._num_inside -= 1
