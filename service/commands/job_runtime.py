"""What stands behind jobs while a command runs: a Redis and workers of our own, or those that are there already."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import StoreUnavailableError
from service.jobs.build import JobParts, build_job_parts
from service.jobs.data_lock import DataFolderTakenError, DataLock
from service.jobs.supervisor import Supervisor
from service.settings import Settings


@contextmanager
def own_runtime(settings: Settings) -> Iterator[JobParts | None]:
    """Be the one service over the data folder: start what the settings ask for, and stop it at the end.

    Yields:
        None where there is no redis-server to start: the rest of the service works without.

    Raises:
        DataFolderTakenError: another process has the folder.
    """
    if settings.redis_url is not None:
        with _supervised(settings, settings.workers or 0, with_redis=False):
            yield _external(settings)
        return
    lock = DataLock.acquire(settings.data_dir)
    try:
        num_workers = 1 if settings.workers is None else settings.workers
        try:
            supervisor = Supervisor(settings, num_workers=num_workers, with_redis=True)
        except StoreUnavailableError as error:
            print(f"thorascope: jobs cannot be taken: {error}", file=sys.stderr)
            yield None
            return
        with _running(supervisor):
            yield build_job_parts(settings)
    finally:
        lock.release()


@contextmanager
def shared_runtime(settings: Settings, *, with_worker: bool) -> Iterator[JobParts]:
    """Attach to the service over the data folder, or to the Redis of the settings; where neither runs, be it.

    Raises:
        StoreUnavailableError: there is no redis-server to start.
    """
    if settings.redis_url is not None:
        yield _external(settings)
        return
    try:
        lock = DataLock.acquire(settings.data_dir)
    except DataFolderTakenError:
        yield build_job_parts(settings)
        return
    try:
        num_workers = (1 if settings.workers is None else settings.workers) if with_worker else 0
        with _supervised(settings, num_workers, with_redis=True):
            yield build_job_parts(settings)
    finally:
        lock.release()


@contextmanager
def _supervised(settings: Settings, num_workers: int, *, with_redis: bool) -> Iterator[None]:
    with _running(Supervisor(settings, num_workers=num_workers, with_redis=with_redis)):
        yield


@contextmanager
def _running(supervisor: Supervisor) -> Iterator[None]:
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()


def _external(settings: Settings) -> JobParts:
    parts = build_job_parts(settings)
    for fault in parts.ledger.unsafe_settings():
        print(f"thorascope: this Redis may lose jobs: {fault}", file=sys.stderr)
    return parts
