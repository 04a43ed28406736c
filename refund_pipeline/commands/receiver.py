"""`refund-pipeline receiver`: the webhook receiver behind uvicorn."""

import logging
import os

import click

from refund_pipeline.commands.endings import sentences

_DRAIN_SECONDS = 15


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 in a container.")
@click.option("--port", default=8080, show_default=True)
@click.option("--fd", type=int, help="Serve on this inherited listening socket instead.")
def receiver(*, host: str, port: int, fd: int | None) -> None:
    """Receive NewStore's webhooks and make them durable in the landing bucket.

    NewStore posts to /events with REFUNDS_RECEIVER_KEY as its api_key; /healthz and /readyz are for
    whoever runs it. Terminate TLS in front. Ends on SIGTERM, after what was accepted is written.
    Exit code 3 if a setting is missing.
    """
    with sentences():
        import uvicorn

        from refund_pipeline.receiver.app import app
        from refund_pipeline.receiver.settings import read_settings

        read_settings(os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    uvicorn.run(
        app,
        host=host,
        port=port,
        fd=fd,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
