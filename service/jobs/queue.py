"""Messages to workers. Celery is a queue here and nothing else; outside `service/worker` this is its only door."""

from typing import Any, Protocol
from urllib.parse import quote

from celery import Celery
from kombu.exceptions import OperationalError
from redis.connection import SSLConnection, UnixDomainSocketConnection, parse_url

from models.errors import StoreUnavailableError
from service.jobs.job import Lane
from service.jobs.ledger import Offer
from service.jobs.redis_ledger import RedisLedger

TASK = "thorascope.score"

# An unacknowledged message is given to another worker after that time. The ledger's leases, and not the broker, notice
# a lost worker: of a chunk that takes longer the message comes twice, and finds it leased. The time must be the same
# wherever one broker is used, as the shortest wins. Hence all three places below.
_VISIBILITY_TIMEOUT_S = 600
_ANSWER_S = 5.0

# A worker that serves both lanes takes an interactive message first. No order is promised among the queues of a worker;
# among the priorities of messages there is one, 0 before 9.
_PRIORITY = {Lane.INTERACTIVE: 0, Lane.BULK: 9}
_PRIORITY_SEPARATOR = "\x06\x16"  # kombu keeps one Redis list a priority, and this in its name where it is not 0


class Queue(Protocol):
    """Carries ids from who has work to who does it; a message may be lost or come twice."""

    def send(self, lane: Lane, offer: Offer) -> None:
        """Raises: StoreUnavailableError."""

    def waiting(self, lane: Lane) -> int:
        """Messages that nobody has taken. Raises: StoreUnavailableError."""


def queue_name(lane: Lane) -> str:
    """Of the lane, at the broker."""
    return f"thorascope.{lane}"


def make_celery(redis_url: str) -> Celery:
    """The Celery application; it makes no connection yet."""
    broker, ssl = _broker_of(redis_url)
    app = Celery("thorascope", broker=broker, set_as_current=False)
    options: dict[str, Any] = {
        "visibility_timeout": _VISIBILITY_TIMEOUT_S,
        "socket_timeout": _ANSWER_S,
        "socket_connect_timeout": _ANSWER_S,
        "health_check_interval": 5,
        "unacked_restore_interval": 5,
    }
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_transport_options=options,
        broker_use_ssl=ssl,
        result_backend_transport_options={"visibility_timeout": _VISIBILITY_TIMEOUT_S},
        visibility_timeout=_VISIBILITY_TIMEOUT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        task_publish_retry=False,
    )
    return app


def _broker_of(redis_url: str) -> tuple[str, dict[str, Any] | None]:
    """The address, and what there is to say of TLS, by which kombu comes to the Redis that redis-py reads in a URL.

    Of themselves they differ: where the number of the database stands, and whether certificates are verified.
    """
    asked: dict[str, Any] = parse_url(redis_url)  # type: ignore[no-untyped-call]
    user, password = (quote(asked.get(name, ""), safe="") for name in ("username", "password"))
    login = f"{user}:{password}@" if user or password else ""
    database = asked.get("db", 0)
    if asked.get("connection_class") is UnixDomainSocketConnection:
        return f"redis+socket://{login}{quote(asked['path'])}?virtual_host={database}", None
    host = asked.get("host", "localhost")
    place = f"[{host}]" if ":" in host else host
    address = f"redis://{login}{place}:{asked.get('port', 6379)}/{database}"
    if asked.get("connection_class") is not SSLConnection:
        return address, None
    told = {name: value for name, value in asked.items() if name.startswith("ssl_")}
    return address, {"ssl_cert_reqs": "required"} | told


class CeleryQueue:
    """See `Queue`."""

    def __init__(self, app: Celery, ledger: RedisLedger) -> None:
        self._app = app
        self._ledger = ledger

    def send(self, lane: Lane, offer: Offer) -> None:
        """See `Queue.send`."""
        arguments = [offer.job_id, offer.chunk.start, offer.chunk.stop]
        try:
            self._app.send_task(
                TASK,
                args=arguments,
                queue=queue_name(lane),
                priority=_PRIORITY[lane],
                retry=False,
                ignore_result=True,
            )
        except (OperationalError, OSError) as error:
            raise StoreUnavailableError("the job queue does not answer") from error

    def waiting(self, lane: Lane) -> int:
        """See `Queue.waiting`."""
        priority = _PRIORITY[lane]
        suffix = f"{_PRIORITY_SEPARATOR}{priority}" if priority else ""
        return self._ledger.waiting(f"{queue_name(lane)}{suffix}")
