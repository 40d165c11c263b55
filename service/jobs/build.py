"""Ledger, queue, store and reconciler as the settings ask for, for any process that has to do with jobs."""

import os
import secrets
import socket
import time
from dataclasses import dataclass

from celery import Celery

from models.errors import StoreUnavailableError
from service.jobs.disk import data_folder_error
from service.jobs.errors import LedgerAwayError
from service.jobs.intake import IntakeLimits
from service.jobs.private_redis import redis_log, redis_url
from service.jobs.queue import CeleryQueue, Queue, make_celery
from service.jobs.reconciler import Reconciler, Retention
from service.jobs.redis_ledger import RedisLedger
from service.jobs.store import Store, open_store
from service.settings import Settings

_START_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.2
_CLEARED_WITHIN_S = 600.0  # after the longest wait for an answer; as long where processes have different settings


@dataclass(frozen=True, slots=True)
class JobParts:
    """What one process needs.

    Attributes:
        owner: its name in the ledger.
        redis_told: where to look when Redis does not answer.
    """

    ledger: RedisLedger
    queue: Queue
    store: Store
    reconciler: Reconciler
    celery: Celery
    owner: str
    redis_told: str = "THORASCOPE_REDIS_URL"

    def wait_for_redis(self, timeout_s: float = _START_WITHIN_S) -> None:
        """Wait until it answers: it may have been started with us, or after us. Raises StoreUnavailableError."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.ledger.ping()
            except StoreUnavailableError as error:
                if time.monotonic() > deadline:
                    why = type(error.__cause__ or error).__name__
                    raise LedgerAwayError(f"{error} ({why}); see {self.redis_told}") from error
                time.sleep(_LOOK_EVERY_S)


def build_job_parts(settings: Settings) -> JobParts:
    """Put the parts together; nothing is connected to yet. Raises StoreUnavailableError: no folder for a Redis."""
    url = settings.redis_url or redis_url(settings.data_dir)
    ledger, app = RedisLedger(url), make_celery(url)
    store = open_store(settings.store_address, reserve_bytes=settings.disk_reserve_bytes)
    queue = CeleryQueue(app, ledger)
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    abandoned_s = settings.queue_timeout_s + _CLEARED_WITHIN_S
    retention = Retention(settings.upload_retention_s, settings.result_retention_s, abandoned_s)
    reconciler = Reconciler(ledger, queue, store, retention, owner, time.time)
    told = "THORASCOPE_REDIS_URL" if settings.redis_url else str(redis_log(settings.data_dir))
    return JobParts(ledger, queue, store, reconciler, app, owner, told)


def intake_limits(settings: Settings) -> IntakeLimits:
    """What one job may bring. Raises StoreUnavailableError: the data folder cannot be written to."""
    scratch = settings.data_dir / "scratch"  # beside the uploads: /tmp may be small, or memory
    try:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise data_folder_error(settings.data_dir, error) from error
    return IntakeLimits(
        settings.upload_limit_bytes,
        settings.job_limit_bytes,
        settings.job_limit_files,
        scratch,
        settings.disk_reserve_bytes,
    )
