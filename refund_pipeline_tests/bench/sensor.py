"""The landing sensor: LIST calls and time of a tick, whatever the bucket holds.

Beside it what dagster-aws offers, `get_objects`, as its documentation has it: every key, each tick.
"""

import os
import random
import statistics
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import dagster as dg
from dagster_aws.s3.sensor import get_objects

from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile
from refund_pipeline.orchestration.resources import Clock, LandingBucketResource, LedgerResource
from refund_pipeline.orchestration.sensors import landing_bucket_sensor
from refund_pipeline_tests.bench.folder_s3 import KeysS3
from refund_pipeline_tests.bench.landed_days import FILES, PREFIX, TENANT, keys_of
from refund_pipeline_tests.bench.results import Budget, Result, Settings, count

_NOW = datetime(2026, 11, 20, 12, 2, tzinfo=timezone.utc)
_MOST = 2
_HEADINGS = (
    *("objects in the bucket", "LIST calls a tick", "ms a tick"),
    *("LIST calls of get_objects", "ms of get_objects"),
)


class _Clock(Clock):
    def now(self) -> datetime:
        return _NOW


class _Bucket(LandingBucketResource):
    """The bucket of the size that is measured. Dagster copies resources, so the class has it."""

    client: ClassVar[Any]

    def open(self, *, attempts: int = 5) -> LandingBucket:
        del attempts
        return LandingBucket(
            self.url, tenant=self.tenant, client=lambda: self.client, clock=lambda: _NOW
        )


def sensor(settings: Settings) -> Result:
    """Tick at growing sizes of the bucket, with one file read a minute ago and one unread."""
    sizes = settings.pick(
        full=(1_000, 100_000, 1_000_000), quick=(1_000, 20_000, 100_000), tiny=(300, 2_000)
    )
    rows, calls = [], []
    for size in sizes:
        client = KeysS3(_keys(size, settings.seed))
        place = settings.place / str(size)
        place.mkdir()
        lists, milliseconds = _tick(client, place)
        calls.append(lists)
        client.lists = 0
        theirs = _milliseconds(
            lambda client=client: get_objects("bucket", PREFIX, client=client), times=1
        )
        rows.append(
            (count(size), lists, f"{milliseconds:.1f}", count(client.lists), f"{theirs:,.0f}")
        )
    budget = Budget(
        "S3 LIST calls per sensor tick",
        f"≤ {_MOST}, whatever the bucket's size",
        f"{max(calls)} with {count(sizes[-1])} objects",
        max(calls) <= _MOST,
    )
    return Result(_HEADINGS, tuple(rows), (budget,))


def _keys(size: int, seed: int) -> list[str]:
    """Return the keys of so many days that end now."""
    chance, keys = random.Random(seed), list[str]()
    day = _NOW.date()
    now = f"{PREFIX}/{TENANT}/{int(_NOW.timestamp() * 1000)}"
    while len(keys) < size:
        keys += reversed([key for key in keys_of(day, chance, files=FILES) if key <= now])
        day -= timedelta(days=1)
    return keys[:size]


def _tick(client: KeysS3, place: Path) -> tuple[int, float]:
    """Return LIST calls and milliseconds of a tick that goes on from the one before."""
    _Bucket.client = client
    url = f"sqlite:///{place / 'ledger.db'}"
    ledger = Ledger(url, clock=lambda: _NOW, run_id=uuid.uuid4().hex)
    for key in client.keys[-3 * FILES : -1]:
        ledger.record_file(
            LandedFile(key, "e", date(2026, 11, 20), 0),
            events=[],
            rejected=[],
            other_events={},
            lines=0,
        )
    ledger.close()
    cursor: str | None = None
    resources = {
        "clock": _Clock(),
        "ledger": LedgerResource(url=url),
        "landing_bucket": _Bucket(url=f"s3://bucket/{PREFIX}", tenant=TENANT),
    }

    def _once() -> None:
        nonlocal cursor
        with dg.build_sensor_context(instance, cursor=cursor, resources=resources) as context:
            result = landing_bucket_sensor(context)
        assert isinstance(result, dg.SensorResult)
        assert len(result.run_requests or ()) == 1
        cursor = result.cursor

    start = {"REFUNDS_START_DATE": (_NOW - timedelta(days=30)).date().isoformat()}
    with dg.DagsterInstance.ephemeral() as instance, mock.patch.dict(os.environ, start):
        _once()
        client.lists = 0
        milliseconds = _milliseconds(_once, times=5)
    return client.lists // 5, milliseconds


def _milliseconds(function: Callable[[], object], *, times: int) -> float:
    """Return the median of several calls."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)
