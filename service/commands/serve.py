"""`python -m service serve`: the HTTP service."""

import argparse
import signal
import socket
import sys

import uvicorn

from service.api.app import create_app
from service.commands.files import NOTICE
from service.settings import Settings
from service.telemetry import configure_logging


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("serve", help="the HTTP service", description=__doc__)
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM, then let running requests finish.

    Returns:
        0 after such a signal, 1 where the service could not start.
    """
    configure_logging(settings.log_level)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    server = _Server(config)
    # uvicorn raises the signal that stopped it once more when it is done. By then all is put away: leave in peace.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    server.run()
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Says in one plain line where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            print(f"Thorascope listens on {address} (documentation: {address}/docs). {NOTICE}", file=sys.stderr)
