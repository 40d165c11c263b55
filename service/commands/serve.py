"""`python -m service serve`: the HTTP service, with its own Redis and worker unless the settings name others."""

import argparse
import signal
import socket
import sys
import time

import uvicorn

from models.errors import StoreUnavailableError
from service.api.app import create_app
from service.api.job_desk import JobDesk
from service.api.queue_engine import QueueEngine
from service.commands.files import NOTICE
from service.commands.job_runtime import own_runtime
from service.inference.build import build_engine
from service.inference.engine import Engine
from service.jobs.build import JobParts, intake_limits
from service.jobs.data_lock import DataFolderTakenError
from service.jobs.supervisor import STOP_WITHIN_S
from service.settings import Settings
from service.telemetry import configure_logging


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("serve", help="the HTTP service", description=__doc__)
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM, then let running requests finish.

    Returns:
        0 after such a signal, 1 where the service could not start, 2 where the data folder cannot be had.
    """
    configure_logging(settings.log_level)
    # From here on a signal is for the server, which raises the one that stopped it once more when it is done: leave in
    # peace. Another one after that does not wait until all is put away.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_before_serving)
    try:
        with own_runtime(settings) as parts:
            return _serve(settings, parts)
    except (DataFolderTakenError, StoreUnavailableError) as error:
        print(f"thorascope: {error}", file=sys.stderr)
        return 2


def _serve(settings: Settings, parts: JobParts | None) -> int:
    if (taken := _taken_address(settings)) is not None:
        print(f"thorascope: {taken}", file=sys.stderr)
        return 1
    desk = None
    if parts is not None:
        desk = JobDesk(parts.ledger, parts.store, parts.reconciler, intake_limits(settings), time.time)
    engine = _engine(settings, parts)
    config = uvicorn.Config(
        create_app(settings, engine=engine, jobs=desk),
        host=settings.host,
        port=settings.port,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, settings.shutdown_grace_s - STOP_WITHIN_S),
    )
    server = _Server(config, desk)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    server.run()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return 0 if server.started else 1


def _engine(settings: Settings, parts: JobParts | None) -> Engine:
    if settings.engine == "local":
        return build_engine(settings)
    if parts is None:
        raise StoreUnavailableError("THORASCOPE_ENGINE=queue needs a Redis")
    return QueueEngine(settings, parts.ledger, parts.store, parts.reconciler)


def _taken_address(settings: Settings) -> str | None:
    """Why nobody can listen where the settings say; None where somebody can. Asked before the model is loaded."""
    place = f"{settings.host} port {settings.port}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the server does, too
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        return f"cannot listen on {place}: {error.strerror}; PORT and HOST choose another (docs/settings.md)"
    return None


def _leave_before_serving(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """Says in one plain line where it listens, once it does; ends streams of events when it stops."""

    def __init__(self, config: uvicorn.Config, desk: JobDesk | None) -> None:
        super().__init__(config)
        self._desk = desk

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            print(f"Thorascope listens on {address} (documentation: {address}/docs). {NOTICE}", file=sys.stderr)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._desk is not None:
            self._desk.closing.set()
        await super().shutdown(sockets)
