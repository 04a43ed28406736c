"""`refund-pipeline metrics`: the numbers of ledger and landing sensor, as Prometheus reads them."""

from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import sentences

if TYPE_CHECKING:
    from refund_pipeline.steps.replay import Time


@click.command()
@click.option(
    "--dagster",
    "with_dagster",
    is_flag=True,
    help="Also how the landing sensor ticks, from DAGSTER_HOME; loading Dagster takes seconds.",
)
@click.pass_obj
def metrics(clock: "Time | None", *, with_dagster: bool) -> None:
    """Print counts, ages, latencies and amounts in the text format of Prometheus.

    For the textfile collector of its node exporter, or any other agent; the receiver can serve the
    same at /metrics. docs/operations.md names them all. Exit code 0, 2 for wrong usage, 3 if the
    ledger, or Dagster's storage where it is asked, cannot be used.
    """
    time = environment.clock(clock)
    with sentences():
        from refund_pipeline.gateways import metrics as written

        ticks = environment.landing_sensor(time) if with_dagster else None
        with environment.ledger(time) as ledger:
            found = ledger.for_reading().numbers(now=time.now())
    made = [*written.of_ledger(found, now=time.now())]
    if ticks is not None:
        made += written.of_sensor(ticks)
    click.echo(written.metrics_text(made), nl=False)
