"""`refund-pipeline receiver`: accepts NewStore's webhooks; what it does is `receiver/`."""

import click

from refund_pipeline.commands.endings import sentences


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: every address.")
@click.option("--port", default=8080, show_default=True, help="0 takes a free one.")
def receiver(*, host: str, port: int) -> None:
    """Accept NewStore's webhooks and make them durable in the landing bucket, until stopped.

    NewStore posts to /events with the key REFUNDS_RECEIVER_KEY; /healthz and /readyz are for the
    operator. TLS ends in front of it. SIGTERM ends it once everything under way is answered.
    Exit code 3 if a setting is missing or the port cannot be had.
    """
    with sentences():
        from refund_pipeline.receiver.serving import serve
        from refund_pipeline.receiver.settings import settings_from_environment

        settings = settings_from_environment()
        serve(
            settings,
            host=host,
            port=port,
            announce=lambda url: click.echo(f"receiving events on {url}/events"),
        )
