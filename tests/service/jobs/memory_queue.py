"""A queue in memory."""

from collections import deque

from service.jobs.job import Lane
from service.jobs.ledger import Offer


class MemoryQueue:
    """See `Queue`. Attributes: messages, by lane."""

    def __init__(self) -> None:
        self.messages: dict[Lane, deque[Offer]] = {lane: deque() for lane in Lane}

    def send(self, lane: Lane, offer: Offer) -> None:
        """See `Queue.send`."""
        self.messages[lane].append(offer)

    def waiting(self, lane: Lane) -> int:
        """See `Queue.waiting`."""
        return len(self.messages[lane])
