"""Parts of jobs where something is not there: a Redis that comes up later, a folder that cannot be had."""

from unittest.mock import Mock

import pytest

from models.errors import StoreUnavailableError
from service.jobs.build import JobParts, build_job_parts, intake_limits
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
        """And says why, and where to look."""
        away = LedgerAwayError("away")
        away.__cause__ = ConnectionRefusedError()
        with pytest.raises(StoreUnavailableError, match=r"away \(ConnectionRefusedError\); see THORASCOPE_REDIS_URL"):
            parts(*[away] * 9).wait_for_redis(timeout_s=0.3)

    def test_of_our_own_redis_the_log_says_why(self, settings, tmp_path):
        """Its file is what there is to look at."""
        told = build_job_parts(settings.model_copy(update={"data_dir": tmp_path})).redis_told

        assert str(tmp_path / "redis" / "redis.log") == told


@pytest.mark.parametrize("build", [intake_limits, build_job_parts])
def test_a_data_folder_that_cannot_be_had__is_told_with_what_names_another(settings, tmp_path, build):
    """Of `serve` with another Redis, and of a worker; neither takes the folder's lock, which would say so."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="cannot be written to: Not a directory; THORASCOPE_DATA_DIR"):
        build(settings.model_copy(update={"data_dir": tmp_path / "file" / "data"}))
