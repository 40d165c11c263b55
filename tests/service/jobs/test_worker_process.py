"""A worker's first seconds."""

import threading
import time
from unittest.mock import Mock

import pytest
from celery.signals import worker_ready

from service.jobs.build import JobParts
from service.jobs.job import Lane
from service.settings import Settings
from service.worker import process
from service.worker.process import WorkerProcess
from tests.service.jobs.memory_ledger import MemoryLedger
from tests.service.jobs.memory_queue import MemoryQueue


class SlowCelery:
    """A consumer that takes its time to connect, then hangs for as long."""

    def __init__(self, delay_s) -> None:
        self.delay_s = delay_s
        self.ended_before_ready = False
        self.end = threading.Event()
        self.exitcode = 0

    def task(self, name):
        return lambda function: function

    def finalize(self) -> None:
        pass

    def Worker(self, **options):  # noqa: N802 Celery's name
        return self

    def start(self) -> None:
        time.sleep(self.delay_s)
        self.ended_before_ready = self.end.is_set()
        worker_ready.send(sender=self)
        self.end.wait(10 * self.delay_s)


@pytest.fixture(name="celery")
def _celery(monkeypatch):
    celery = SlowCelery(1.0)
    monkeypatch.setattr(process, "_end_this_process", celery.end.set)
    receivers = list(worker_ready.receivers)
    yield celery
    worker_ready.receivers[:] = receivers


def test_a_worker__is_deaf_only_from_when_it_could_hear(celery, fake_engine):
    """Messages wait while it connects for longer than the watchdog's patience: it would end itself at every start."""
    settings = Settings(lease_s=0.15, watchdog_s=0.3)
    queue = Mock(MemoryQueue, waiting=Mock(return_value=1))
    parts = JobParts(MemoryLedger(), queue, Mock(), Mock(), celery, "w")
    WorkerProcess(settings, parts, fake_engine, [Lane.BULK]).run()

    assert not celery.ended_before_ready
    assert celery.end.is_set(), "and then it is watched"
