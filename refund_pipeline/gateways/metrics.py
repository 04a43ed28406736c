"""Numbers in the text format of Prometheus; names and labels stay (docs/operations.md has them).

Amounts are floats here and nowhere else: the format has no other numbers. They are for plots and
alerts, never for books.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from refund_pipeline.domain.standing import SensorTicks
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.ledger.numbers import RECENT_DAYS, Numbers

_QUANTILES = (0.5, 0.9, 0.99, 1.0)
_OPEN = (*sorted(OUTSTANDING), "held")
_RECENT = f"landed within the last {RECENT_DAYS} landing days"


def metrics_text(metrics: Iterable[Metric]) -> bytes:
    """Write metrics as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(metrics)))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def of_ledger(found: Numbers | None, *, now: datetime) -> Iterator[Metric]:
    """Yield what the ledger says; None: it cannot be used, which is a number as well."""
    yield _gauge("ledger_up", "Whether the ledger could be read.", found is not None)
    if found is None:
        return
    yield _counter("landed_refunds", "Refunds that have landed, all of them.", found.landed)
    settled = found.landed - found.unsettled
    yield _gauge("settled_refunds", "Of these, those posted or skipped.", settled)
    yield from _open_refunds(found)
    yield from _recent(found)
    yield _latency(found)
    yield _gauge(
        "posted_last_day",
        f"Refunds posted within the last 24 hours that {_RECENT}.",
        len(found.seconds_to_post),
    )
    ages = _labelled("oldest_seconds", "Since when the oldest one waits; 0: none.", "standing")
    for name in ("outstanding", "held"):
        at = found.oldest.get(name)
        ages.add_metric([name], max((now - at).total_seconds(), 0.0) if at else 0.0)
    yield ages
    yield from _moment(
        "last_landed", "When the last file landed, by its name", found.last_landed_at
    )
    yield from _moment("last_read", "When a landed file was last read", found.last_read_at)
    yield _gauge("rejected_lines", "Landed lines nobody has released.", found.rejected_lines)
    yield _gauge(
        "different_postings", "Posted refunds that the ERP shows differently.", found.different
    )
    yield _gauge(
        "unknown_records", "ERP records under our prefix that the ledger lacks.", found.unknown
    )


def of_receiver(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Yield what became of the events a receiver was sent since it started."""
    events = CounterMetricFamily(
        "refund_pipeline_receiver_events", "Events by what became of them.", labels=["outcome"]
    )
    for outcome, count in counts.items():
        events.add_metric([outcome], count)
    yield events


def of_sensor(ticks: SensorTicks) -> Iterator[Metric]:
    """Yield how the landing sensor ticks."""
    yield _gauge("landing_sensor_stopped", "Whether a person has stopped it.", ticks.stopped)
    yield from _moment("landing_sensor_tick", "When the landing sensor last ticked", ticks.last)
    yield from _moment("landing_sensor_good_tick", "When it last ticked well", ticks.last_good)


def _open_refunds(found: Numbers) -> Iterator[Metric]:
    labels = ("status", "reason", "currency")
    counts = _labelled("open_refunds", "Refunds neither posted nor skipped.", "status", "reason")
    amounts = _labelled("open_amount", "Their amounts, for plots.", *labels)
    by_reason: dict[tuple[str, str], int] = {
        (status, ""): 0
        for status in _OPEN  # so that no series is missing where all is well
    }
    for total in found.open:
        key = (total.status, total.reason or "")
        by_reason[key] = by_reason.get(key, 0) + total.count
        amounts.add_metric([*key, total.currency], float(total.amount))
    for key, count in by_reason.items():
        counts.add_metric(key, count)
    yield from (counts, amounts)


def _recent(found: Numbers) -> Iterator[Metric]:
    counts = _labelled("recent_refunds", f"Refunds that {_RECENT}.", "standing", "currency")
    amounts = _labelled("recent_amount", "Their amounts, for plots.", "standing", "currency")
    for total in found.recent:
        key = [total.status, total.currency]
        counts.add_metric(key, total.count)
        amounts.add_metric(key, float(total.amount))
    yield from (counts, amounts)


def _latency(found: Numbers) -> Metric:
    metric = _labelled(
        "seconds_to_post",
        f"From landing to posting, of refunds posted within the last 24 hours that {_RECENT}.",
        "quantile",
    )
    seconds = found.seconds_to_post
    for quantile in _QUANTILES if seconds else ():
        place = min(int(quantile * len(seconds)), len(seconds) - 1)
        metric.add_metric([f"{quantile:g}"], seconds[place])
    return metric


def _moment(name: str, says: str, at: datetime | None) -> Iterator[Metric]:
    """Yield a moment as Unix time; nothing where there was none, as Prometheus advises."""
    if at is not None:
        yield _gauge(f"{name}_timestamp_seconds", f"{says}.", at.timestamp())


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"refund_pipeline_{name}", says, value=float(value))


def _counter(name: str, says: str, value: float) -> Metric:
    return CounterMetricFamily(f"refund_pipeline_{name}", says, value=float(value))


def _labelled(name: str, says: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"refund_pipeline_{name}", says, labels=list(labels))
