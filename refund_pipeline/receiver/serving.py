"""Serves the receiver with uvicorn, on a socket of its own, until SIGTERM or SIGINT."""

import logging
import socket
import time
from collections.abc import Callable

import uvicorn

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.receiver.app import create_app
from refund_pipeline.receiver.settings import ReceiverSettings

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers keep idle connections, so that none is closed under a webhook."""
_DRAIN_SECONDS = 20
"""More than reading a body and writing it may take."""


def serve(
    settings: ReceiverSettings, *, host: str, port: int, announce: Callable[[str], None]
) -> None:
    """Serve until stopped; requests under way are answered before it ends.

    Args:
        settings: The receiver's.
        host: Where to listen.
        port: 0 takes a free one.
        announce: Is told the URL once connections are accepted.

    Raises:
        Misconfigured: the host and port cannot be listened on.
    """
    _log_to_stderr()
    config = uvicorn.Config(
        create_app(settings),
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,  # AccessLog writes ours, which has no query
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    with _listening(host, port) as listener:
        bound = listener.getsockname()[1]
        announce(f"http://{f'[{host}]' if ':' in host else host}:{bound}")
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise Misconfigured(
            f"the receiver cannot listen on {host} port {port} ({error}); choose another"
        ) from None


def _log_to_stderr() -> None:
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s")
    formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("refund_pipeline", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
