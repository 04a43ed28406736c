"""Files the receiver writes: whoever reads the bucket cannot tell them from NewStore's own.

Tests that take `store` run against the fake and against moto's S3 server alike.
"""

import asyncio
import random
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any, Protocol

import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.events import RefundEvent, parse_line
from refund_pipeline.gateways import landing_writer, s3
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.landing_writer import LandingWriter
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.gateways.fake_s3 import FakeS3, refusal

DAY = date(2026, 11, 20)
LAST_MOMENT = datetime(2026, 11, 20, 23, 59, 59, 999_000, tzinfo=timezone.utc)
LINES = [event_line(number).encode() for number in range(3)]


class WritableS3(FakeS3):
    """A fake bucket that takes objects in."""

    closed = 0

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - boto3's
        self._refuse()
        self.put(Key, Body)

    def head_bucket(self, *, Bucket: str) -> None:  # noqa: N803 - boto3's
        self._refuse()

    def close(self) -> None:
        self.closed += 1


class Store(Protocol):
    client: Any
    name: str


class FakeStore:
    def __init__(self) -> None:
        self.client = WritableS3()
        self.name = "landing"


class MotoStore:
    def __init__(self, sandbox: LandingSandbox) -> None:
        self.client = sandbox.client
        self.name = f"landing-{random.getrandbits(48):012x}"
        self.client.create_bucket(Bucket=self.name)


@pytest.fixture(scope="module")
def moto() -> Iterator[LandingSandbox]:
    with LandingSandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=["fake", "moto"])
def store(request: pytest.FixtureRequest) -> Store:
    return FakeStore() if request.param == "fake" else MotoStore(request.getfixturevalue("moto"))


def writer_to(store: Store, *, prefix: str = "newstore/events", **options: Any) -> LandingWriter:
    return LandingWriter(
        f"s3://{store.name}/{prefix}",
        tenant="demo",
        client=lambda: store.client,
        **{"clock": lambda: LAST_MOMENT, **options},
    )


def bucket_of(store: Store, *, prefix: str = "newstore/events") -> LandingBucket:
    return LandingBucket(
        f"s3://{store.name}/{prefix}",
        tenant="demo",
        client=lambda: store.client,
        clock=lambda: LAST_MOMENT,
    )


def test_a_file_is_read_back_as_one_of_newstores_export(store: Store) -> None:
    key = writer_to(store).write(LINES)
    bucket = bucket_of(store)
    (landed,) = bucket.day(DAY)
    assert (landed.key, landed.landed_at) == (key, LAST_MOMENT)
    assert list(bucket.strays()) == []
    read = list(bucket.lines(landed))
    assert read == list(enumerate(LINES, 1))
    found = [parse_line(line, tenant="demo") for _, line in read if isinstance(line, bytes)]
    assert [type(event) for event in found] == [RefundEvent] * 3


def test_a_file_is_named_and_ended_as_newstore_does_it(store: Store) -> None:
    key = writer_to(store, suffix=lambda: "aB3").write(LINES)
    assert key == "newstore/events/demo/1795219199999-data-aB3.export"
    content = store.client.get_object(Bucket=store.name, Key=key)["Body"].read()
    assert content == b"\n".join(LINES) + b"\n"


@given(
    prefix=st.text("ab/-", max_size=6),
    tenant=st.sampled_from(["demo", " Demo ", "/demo/"]),
    moment=st.datetimes(datetime(2001, 9, 10), datetime(2030, 1, 1)),  # noqa: DTZ001 - zoned below
)
def test_whatever_the_prefix_the_tenant_and_the_moment_it_is_found(
    prefix: str, tenant: str, moment: datetime
) -> None:
    at = moment.replace(tzinfo=timezone.utc)
    client: Any = WritableS3()
    url = f"s3://landing/{prefix}"
    key = LandingWriter(url, tenant=tenant, client=lambda: client, clock=lambda: at).write(LINES)
    bucket = LandingBucket(url, tenant=tenant, client=lambda: client, clock=lambda: at)
    (landed,) = bucket.day(at.date())
    assert landed.key == key
    assert landed.landed_at is not None
    assert at - timedelta(milliseconds=1) < landed.landed_at <= at


def test_files_of_one_millisecond_do_not_replace_each_other() -> None:
    store = FakeStore()
    writer = writer_to(store)
    keys = {writer.write([line]) for line in LINES * 100}
    assert len(keys) == len(store.client.objects) == 300


def test_several_threads_share_one_client() -> None:
    store = FakeStore()
    made: list[threading.Thread] = []
    another = threading.Event()

    def client() -> Any:
        made.append(threading.current_thread())
        another.wait(0.05)  # long enough for any other thread to come in, if it could
        return store.client

    writer = LandingWriter("s3://landing/x", tenant="demo", client=client)
    assert made == []

    async def at_once() -> None:
        await asyncio.gather(*(asyncio.to_thread(writer.write, LINES) for _ in range(20)))

    asyncio.run(at_once())
    assert (len(made), len(store.client.objects)) == (1, 20)
    writer.close()
    writer.close()
    assert store.client.closed == 1
    writer.write(LINES)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal(503, "SlowDown"), Unavailable),
        (ConnectTimeoutError(endpoint_url="http://fake"), Unavailable),
        (refusal(403, "AccessDenied"), Misconfigured),
        (NoCredentialsError(), Misconfigured),
    ],
)
def test_what_s3_refuses_is_told_apart_and_says_where(
    error: Exception, kind: type[Exception]
) -> None:
    store = FakeStore()
    writer = writer_to(store)
    store.client.refusals = [error, error]
    with pytest.raises(kind, match=r"writing s3://landing/newstore/events/demo/1795219199999-"):
        writer.write(LINES)
    with pytest.raises(kind, match=r"asking for s3://landing"):
        writer.check()
    writer.check()
    assert store.client.objects == {}


def test_a_bucket_that_is_not_there_cannot_be_reached(moto: LandingSandbox) -> None:
    writer = LandingWriter("s3://not-there/x", tenant="demo", client=lambda: moto.client)
    with pytest.raises(Misconfigured, match="404"):
        writer.check()


def test_the_client_gives_up_before_a_sender_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client = landing_writer.new_impatient_client()
    options: Any = client.meta.config
    assert (options.connect_timeout, options.read_timeout) == (2, 5)
    assert options.retries["total_max_attempts"] == 3
    client.close()
    patient: Any = s3.new_client()
    assert (patient.meta.config.connect_timeout, patient.meta.config.read_timeout) == (5, 30)
    patient.close()
