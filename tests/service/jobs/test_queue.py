"""Broker and ledger are one Redis: what a URL says of it, both understand alike."""

import time
from unittest.mock import Mock

import pytest
import redis
from kombu.transport.redis import Channel
from redis.connection import SSLConnection

from service.jobs.folder_store import FolderStore
from service.jobs.job import Job, Lane, Task
from service.jobs.queue import CeleryQueue, make_celery
from service.jobs.reconciler import WINDOW, Reconciler, Retention
from service.jobs.redis_ledger import RedisLedger

PLACE = ("host", "port", "path", "db", "username", "password")
DEFAULTS = {"host": "localhost", "port": 6379, "db": 0}


class UnconnectedChannel(Channel):
    """A channel that says how it would connect."""

    def __init__(self, client) -> None:
        self.connection = Mock(client=client)


def broker_connection(url):
    """A connection as kombu would make it, not connected."""
    parameters = UnconnectedChannel(make_celery(url).connection_for_write())._connparams()
    return redis.ConnectionPool(**parameters).make_connection()


def ledger_connection(url):
    """The same by the ledger."""
    return RedisLedger(url)._redis.connection_pool.make_connection()


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://h",
        "redis://h:6380/3",
        "redis://h:6379?db=4",
        "redis://h/1?db=2",
        "redis://[::1]:6380/1",
        "redis://user:p%40ss%2Fw%3Ard%25@h/0",
        "redis://:p%20w@h/0",
        "rediss://h:6380/1",
        "unix:///run/redis.sock",
        "unix:///run/redis.sock?db=2",
        "unix://user:p%40ss@/run/redis.sock?db=2",
        "unix:///run/a%20folder/redis.sock",
    ],
)
def test_broker_and_ledger__connect_to_one_place(url):
    """Else messages would go where nobody counts them."""
    broker, ledger = broker_connection(url), ledger_connection(url)

    def place(connection):
        return {name: getattr(connection, name, None) or None for name in PLACE}

    assert type(ledger) in type(broker).__mro__
    assert place(ledger) == place(broker)


@pytest.mark.parametrize(
    ("query", "verified"),
    [("", "required"), ("?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem", "required"), ("?ssl_cert_reqs=none", "none")],
)
def test_certificates__are_verified_by_both_unless_the_url_says_otherwise(query, verified):
    """A broker in the middle could read and write every message."""
    url = f"rediss://h:6380/1{query}"
    wanted = SSLConnection(ssl_cert_reqs=verified)
    for connection in (broker_connection(url), ledger_connection(url)):
        assert isinstance(connection, SSLConnection)
        assert wanted.cert_reqs == connection.cert_reqs
        assert (query.partition("ca_certs=")[2] or None) == connection.ca_certs
        assert connection.check_hostname == (verified == "required")


@pytest.mark.parametrize("database", [0, 2])
def test_messages__are_counted_where_they_lie(redis_ledger, redis_address, tmp_path, database):
    """A lane's window is full when it is full, and a watchdog sees that work waits, in any database."""
    url = f"{redis_address}?db={database}"
    ledger = RedisLedger(url)
    queue = CeleryQueue(make_celery(url), ledger)
    reconciler = Reconciler(ledger, queue, FolderStore(tmp_path), Retention(0, 0), "test", time.time)
    ledger.create(Job("one", Task.PREDICT, 2 * WINDOW, 1, 1.0))
    for _ in range(2):
        reconciler.feed(Lane.BULK)

    assert WINDOW == queue.waiting(Lane.BULK)
