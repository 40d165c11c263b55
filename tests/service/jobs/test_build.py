"""A Redis that comes up later than who needs it."""

from unittest.mock import Mock

import pytest

from models.errors import StoreUnavailableError
from service.jobs.build import JobParts
from service.jobs.errors import LedgerAwayError


def parts(*answers):
    """With a ledger that answers so to one ping after the other."""
    return JobParts(Mock(ping=Mock(side_effect=answers)), Mock(), Mock(), Mock(), Mock(), "test")


class TestWait:
    def test_it_ends_when_redis_answers(self):
        """`serve` starts Redis, worker and itself at once."""
        waiting = parts(LedgerAwayError("away"), LedgerAwayError("away"), None)
        waiting.wait_for_redis()

        assert 3 == waiting.ledger.ping.call_count

    def test_it_ends_with_the_time_it_has(self):
        """And says why."""
        with pytest.raises(StoreUnavailableError, match="away"):
            parts(*[LedgerAwayError("away")] * 9).wait_for_redis(timeout_s=0.3)
