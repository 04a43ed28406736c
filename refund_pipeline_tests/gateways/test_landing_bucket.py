"""The landing bucket: what each listing shows, how few calls it takes, how a file becomes lines.

Tests that take `store` run against the fake and against moto's S3 server alike.
"""

import gzip
import random
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any, Protocol

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways import landed_lines, s3
from refund_pipeline.gateways.landing_bucket import (
    CorruptObject,
    LandedObject,
    LandingBucket,
    ObjectChanged,
    OversizedLine,
)
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline_tests.gateways.fake_s3 import FakeS3, refusal

UTC = timezone.utc
busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAY = date(2026, 11, 20)
START = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BASE = "newstore/events/demo/"


class Store(Protocol):
    client: Any
    name: str

    def put(self, key: str, content: bytes) -> str: ...


class FakeStore:
    name = "landing"

    def __init__(self) -> None:
        self.client = FakeS3()

    def put(self, key: str, content: bytes) -> str:
        return self.client.put(key, content)


class MotoStore:
    def __init__(self, sandbox: LandingSandbox, name: str) -> None:
        self.client = sandbox.client
        self.name = name
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, content: bytes) -> str:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)
        return key


@pytest.fixture(scope="module")
def moto() -> Iterator[LandingSandbox]:
    with LandingSandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=["fake", "moto"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        return FakeStore()
    name = f"landing-{random.getrandbits(48):012x}"
    return MotoStore(request.getfixturevalue("moto"), name)


def bucket_of(
    store: Store, *, prefix: str = "newstore/events", tenant: str = "demo"
) -> LandingBucket:
    return LandingBucket(
        f"s3://{store.name}/{prefix}", tenant=tenant, client=lambda: store.client, clock=lambda: NOW
    )


def key_at(moment: datetime, suffix: str = "-data-aB3_x-9.export", *, base: str = BASE) -> str:
    ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return f"{base}{ms}{suffix}"


def keys(objects: Any) -> list[str]:
    return [obj.key for obj in objects]


def read_all(bucket: LandingBucket, *, day: date = DAY) -> list[tuple[int, Any]]:
    (obj,) = bucket.day(day)
    return list(bucket.lines(obj))


def test_a_day_begins_and_ends_at_midnight_utc_to_the_millisecond(store: Store) -> None:
    millisecond = timedelta(milliseconds=1)
    first = store.put(key_at(START), b"{}")
    last = store.put(key_at(START + timedelta(days=1) - millisecond), b"{}")
    before = store.put(key_at(START - millisecond), b"{}")
    bare = store.put(key_at(START + timedelta(days=1), ""), b"")
    after = store.put(key_at(START + timedelta(days=1)), b"{}")
    bucket = bucket_of(store)
    assert keys(bucket.day(DAY)) == [first, last]
    assert keys(bucket.day(DAY - timedelta(days=1))) == [before]
    assert keys(bucket.day(DAY + timedelta(days=1))) == [bare, after]


def test_a_landed_object_carries_what_its_name_and_the_listing_say(store: Store) -> None:
    key = store.put(key_at(START + timedelta(milliseconds=1)), b"{}\n")
    (obj,) = bucket_of(store).day(DAY)
    assert obj == LandedObject(
        key=key,
        etag=obj.etag,
        size=3,
        last_modified=obj.last_modified,
        landing_day=DAY,
        landed_at=START + timedelta(milliseconds=1),
        listing_day=DAY,
    )
    assert '"' not in obj.etag
    assert obj.last_modified.utcoffset() == timedelta(0)


@pytest.mark.parametrize("prefix", ["", "one", "a/deep/prefix/", "/leading"])
def test_any_prefix_works_and_other_tenants_are_not_seen(store: Store, prefix: str) -> None:
    base = "/".join(part for part in (prefix.strip("/"), "demo") if part) + "/"
    mine = store.put(key_at(START, base=base), b"{}")
    store.put(key_at(START, base=base.replace("demo/", "demo2/")), b"{}")
    store.put(key_at(START, base=base.replace("demo/", "dem/")), b"{}")
    assert keys(bucket_of(store, prefix=prefix).day(DAY)) == [mine]


@pytest.mark.parametrize(
    "suffix",
    [
        ".export",
        "-data-x.export.gz",
        "-data-.export",
        "-data-a/b.export",
        "-DATA-x.export",
        "-data-x.export\n",
        "1-data-x.export",
        "",
    ],
)
def test_a_key_beside_the_layout_is_shown_as_a_stray_of_the_day_it_sorts_into(suffix: str) -> None:
    store = FakeStore()
    store.put(key_at(START + timedelta(hours=1), suffix), b"")
    (obj,) = bucket_of(store).day(DAY)
    assert (obj.landing_day, obj.landed_at, obj.listing_day) == (None, None, DAY)


def test_strays_shows_what_sorts_before_and_after_all_days_in_two_calls(store: Store) -> None:
    store.put(BASE, b"")  # a folder made in the console
    strays = [
        store.put(BASE + name, b"") for name in ("0", "001-data-x.export", "_tmp", "archive/x")
    ]
    future = store.put(key_at(NOW + timedelta(days=3)), b"{}")
    short = store.put(f"{BASE}9-data-x.export", b"{}")
    for hours in range(5):
        store.put(key_at(START + timedelta(hours=hours)), b"{}")
    bucket = bucket_of(store)
    found = list(bucket.strays())
    assert sorted(keys(found)) == sorted([*strays, future, short])
    assert {obj.landing_day for obj in found} == {None}
    assert bucket.list_calls == 2


def test_a_clean_bucket_has_no_strays(store: Store) -> None:
    store.put(key_at(START), b"{}")
    assert list(bucket_of(store).strays()) == []


midnights = st.builds(
    lambda day, ms: 1795132800000 + day * 86_400_000 + ms, st.integers(0, 3), st.integers(-1, 1)
)
names = st.text("0123456789-_a.~é/", min_size=1, max_size=16) | st.builds(
    lambda ms, rest: f"{ms}{rest}",
    st.integers(10**12 - 5, 10**12 + 5) | midnights,
    st.sampled_from(["", "-data-x.export", ".tmp", "0"]),
)


@busy
@given(st.sets(names, max_size=12))
def test_every_key_is_shown_once_by_its_listing_day_or_as_a_stray(found: set[str]) -> None:
    store = FakeStore()
    everything = {store.put(BASE + name, b"") for name in found}
    bucket = bucket_of(store)
    (listed,) = list(bucket_pages(bucket)) or [[]]
    shown = list(bucket.strays())
    assert {obj.listing_day for obj in shown} <= {None}
    for day in {obj.listing_day for obj in listed if obj.listing_day}:
        shown += bucket.day(day)
    assert sorted(keys(shown)) == sorted(everything)
    assert {obj.key: obj.listing_day for obj in shown} == {o.key: o.listing_day for o in listed}


def bucket_pages(bucket: LandingBucket) -> Iterator[list[LandedObject]]:
    return bucket._pages(start_after="", first=BASE)


def test_listing_a_day_of_a_large_bucket_stops_at_the_days_end() -> None:
    store = FakeStore()
    for minutes in range(0, 20 * 24 * 60, 5):
        store.put(key_at(START - timedelta(days=10) + timedelta(minutes=minutes)), b"{}")
    bucket = bucket_of(store)
    assert len(list(bucket.day(DAY))) == 288
    assert bucket.list_calls == 1


def test_a_day_of_many_files_is_listed_page_by_page() -> None:
    store = FakeStore()
    for seconds in range(2500):
        store.put(key_at(START + timedelta(seconds=seconds)), b"{}")
    bucket = bucket_of(store)
    assert len(list(bucket.day(DAY))) == 2500
    assert bucket.list_calls == 3


def test_since_yields_pages_from_its_start_on_and_the_strays_among_them(store: Store) -> None:
    moment = START + timedelta(hours=3)
    store.put(key_at(moment - timedelta(milliseconds=1)), b"{}")
    exact = store.put(key_at(moment), b"{}")
    stray = store.put(key_at(moment, ".tmp"), b"")
    next_day = store.put(key_at(START + timedelta(days=1)), b"{}")
    beyond = store.put(f"{BASE}readme.txt", b"")
    pages = list(bucket_of(store).since(moment))
    assert [keys(page) for page in pages] == [[exact, stray, next_day, beyond]]


def test_since_needs_one_call_when_little_is_new() -> None:
    store = FakeStore()
    for minutes in range(0, 20 * 24 * 60, 5):
        store.put(key_at(START - timedelta(days=19) + timedelta(minutes=minutes)), b"{}")
    bucket = bucket_of(store)
    assert sum(len(page) for page in bucket.since(START)) == 288
    assert bucket.list_calls == 1


def test_nothing_landed_is_no_page(store: Store) -> None:
    assert list(bucket_of(store).since(START)) == []


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_lines_are_numbered_blank_ones_are_left_out_and_ends_are_tolerated(
    store: Store, pack: Callable[[bytes], bytes]
) -> None:
    store.put(key_at(START), pack(b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}\n\r\n{"c":3}'))
    assert read_all(bucket_of(store)) == [(1, b'{"a":1}'), (4, b'{"b":2}'), (6, b'{"c":3}')]


def test_gzip_of_several_members_is_one_file(store: Store) -> None:
    store.put(key_at(START), gzip.compress(b"1\n2") + gzip.compress(b"3\n4\n"))
    assert read_all(bucket_of(store)) == [(1, b"1"), (2, b"23"), (3, b"4")]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\r\n\n \n", gzip.compress(b"", mtime=0)],
    ids=["nothing", "a blank line", "blank lines", "gzip of nothing"],
)
def test_a_file_without_events_has_no_lines(store: Store, content: bytes) -> None:
    store.put(key_at(START), content)
    assert read_all(bucket_of(store)) == []


@busy
@given(
    st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=30),
    st.booleans(),
    st.integers(1, 64),
)
def test_lines_come_out_as_they_went_in(lines: list[bytes], end: bool, chunk: int) -> None:
    splitter = landed_lines._Splitter()
    content = b"\n".join(lines) + (b"\n" if end else b"")
    found = [
        item
        for start in range(0, len(content), chunk)
        for item in splitter.feed(content[start : start + chunk])
    ]
    found += splitter.rest()
    expected = {
        number: line.removesuffix(b"\r")
        for number, line in enumerate(content.split(b"\n"), 1)
        if line.strip()
    }
    if expected.get(1, b"").startswith(b"\xef\xbb\xbf"):
        return
    assert dict(found) == expected


def test_a_line_over_the_limit_is_marked_and_its_neighbours_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landed_lines, "LONGEST_LINE", 300_000)
    store = FakeStore()
    store.put(
        key_at(START), b"1\n" + b"x" * 900_000 + b"\n3\n" + b"y" * 300_000 + b"\n" + b"z" * 300_001
    )
    assert read_all(bucket_of(store)) == [
        (1, b"1"),
        (2, OversizedLine(size=900_000, head=b"x" * 4096)),
        (3, b"3"),
        (4, b"y" * 300_000),
        (5, OversizedLine(size=300_001, head=b"z" * 4096)),
    ]


def test_a_decompression_bomb_costs_little_memory() -> None:
    store = FakeStore()
    store.put(key_at(START), gzip.compress(b"x" * 60_000_000, compresslevel=1))
    bucket = bucket_of(store)
    tracemalloc.start()
    lines = read_all(bucket)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [line.size for _, line in lines] == [60_000_000]
    assert peak < 25_000_000


def test_truncated_gzip_yields_the_lines_before_and_then_names_the_file(store: Store) -> None:
    content = b"".join(b'{"n":%d,"r":"%x"}\n' % (n, random.getrandbits(256)) for n in range(3000))
    key = store.put(key_at(START), gzip.compress(content)[:-5000])
    bucket, found = bucket_of(store), []
    (obj,) = bucket.day(DAY)
    with pytest.raises(CorruptObject, match=r"ends early") as caught:
        found.extend(bucket.lines(obj))
    assert caught.value.key == key
    assert 2000 < len(found) < 3000
    assert caught.value.after_line == len(found)
    assert [line for _, line in found] == content.splitlines()[: len(found)]


@pytest.mark.parametrize("damage", [b"junk after the end", b"\x1f\x8b\x08\x00"])
def test_what_follows_a_gzip_file_is_reported_after_its_lines(damage: bytes) -> None:
    store = FakeStore()
    store.put(key_at(START), gzip.compress(b"1\n2\n") + damage)
    bucket, found = bucket_of(store), []
    (obj,) = bucket.day(DAY)
    with pytest.raises(CorruptObject):
        found.extend(bucket.lines(obj))
    assert found == [(1, b"1"), (2, b"2")]


def test_flipped_bytes_inside_gzip_are_reported() -> None:
    store = FakeStore()
    noise = random.Random(3).randbytes(50_000)
    packed = bytearray(gzip.compress(noise))
    packed[20_000:20_100] = bytes(100)
    store.put(key_at(START), bytes(packed))
    with pytest.raises(CorruptObject, match="corrupt"):
        read_all(bucket_of(store))


def test_a_file_rewritten_since_it_was_listed_is_not_read(store: Store) -> None:
    key = store.put(key_at(START), b"1\n")
    bucket = bucket_of(store)
    (obj,) = bucket.day(DAY)
    store.put(key, b"2\n")
    with pytest.raises(ObjectChanged, match=key):
        list(bucket.lines(obj))
    assert read_all(bucket) == [(1, b"2")]


def test_a_file_deleted_since_it_was_listed_is_reported_the_same_way() -> None:
    store = FakeStore()
    key = store.put(key_at(START), b"1\n")
    bucket = bucket_of(store)
    (obj,) = bucket.day(DAY)
    del store.client.objects[key]
    with pytest.raises(ObjectChanged):
        list(bucket.lines(obj))


def test_a_connection_that_breaks_is_taken_up_where_it_broke() -> None:
    store = FakeStore()
    content = b"".join(b"%d\n" % n for n in range(100_000))
    store.put(key_at(START), content)
    store.client.breaks_after = [1000, 0, 300_000]
    assert [line for _, line in read_all(bucket_of(store))] == content.split()
    ranges = [call["Range"] for call in store.client.gets]
    assert ranges == ["bytes=0-", "bytes=1000-", "bytes=1000-", "bytes=301000-"]


def test_a_body_that_ends_early_is_not_taken_for_whole() -> None:
    store = FakeStore()
    key = store.put(key_at(START), b"1\n2\n3\n")
    bucket = bucket_of(store)
    (obj,) = bucket.day(DAY)
    whole = replace(obj, size=obj.size + 2)
    with pytest.raises(Unavailable, match=f"{key}: it ended early"):
        list(bucket.lines(whole))


def test_a_connection_that_keeps_breaking_is_unavailable() -> None:
    store = FakeStore()
    store.put(key_at(START), b"1\n2\n")
    store.client.breaks_after = [1, 1, 0, 0, 0]
    with pytest.raises(Unavailable, match="ReadTimeoutError"):
        read_all(bucket_of(store))
    assert len(store.client.gets) == 4


def test_a_file_rewritten_while_it_is_read_is_reported_when_reading_resumes() -> None:
    store = FakeStore()
    key = store.put(key_at(START), b"1\n" * 400_000)
    store.client.breaks_after = [300_000]
    bucket = bucket_of(store)
    (obj,) = bucket.day(DAY)
    lines = bucket.lines(obj)
    next(lines)
    store.put(key, b"2\n")
    with pytest.raises(ObjectChanged):
        list(lines)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (refusal(403, "AccessDenied"), Misconfigured),
        (refusal(404, "NoSuchBucket"), Misconfigured),
        (refusal(403, "InvalidAccessKeyId"), Misconfigured),
        (refusal(301, "PermanentRedirect"), Misconfigured),
        (NoCredentialsError(), Misconfigured),
        (refusal(503, "SlowDown"), Unavailable),
        (refusal(500, "InternalError"), Unavailable),
        (refusal(400, "RequestTimeout"), Unavailable),
        (EndpointConnectionError(endpoint_url="http://x"), Unavailable),
    ],
)
def test_what_s3_refuses_says_whether_waiting_helps(
    raised: Exception, expected: type[Exception]
) -> None:
    store = FakeStore()
    store.client.refusals = [raised]
    with pytest.raises(expected, match="listing s3://landing/newstore/events/demo/"):
        list(bucket_of(store).day(DAY))


def test_a_missing_bucket_is_misconfigured_on_a_real_server(moto: LandingSandbox) -> None:
    bucket = LandingBucket("s3://not-there", tenant="demo", client=lambda: moto.client)
    with pytest.raises(Misconfigured, match="404 NoSuchBucket"):
        list(bucket.day(DAY))


@pytest.mark.parametrize(
    "url", ["", "landing/x", "http://landing/x", "s3://", "s3:///x", "s3://a b/x"]
)
def test_a_url_that_is_not_s3_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured, match="is not an S3 URL"):
        LandingBucket(url, tenant="demo")


def test_the_default_client_follows_the_aws_variables(
    moto: LandingSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint_url.replace("127.0.0.1", "localhost"))
    key = moto.land(["{}"], at=START, gzip=True)
    bucket = LandingBucket(moto.url, tenant=moto.tenant)
    assert keys(bucket.day(DAY)) == [key]
    assert read_all(bucket) == [(1, b"{}")]
    assert bucket._s3().meta.config.s3 == {"addressing_style": "path"}
    bucket._s3().close()


def test_a_client_is_made_once_and_not_before_it_is_needed() -> None:
    store, made = FakeStore(), []

    def client() -> Any:
        made.append(1)
        return store.client

    bucket = LandingBucket("s3://landing/x", tenant="demo", client=client)
    assert made == []
    list(bucket.day(DAY))
    list(bucket.day(DAY))
    assert made == [1]


def test_amazon_is_asked_with_its_own_kind_of_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client = s3.new_client()
    assert client.meta.config.s3 is None
    assert client.meta.config.read_timeout == 30
    client.close()
